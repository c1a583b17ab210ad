"""`kubectl breakeven`: what people see of a resource, and what they tell it. The cluster is asked through kubectl."""
