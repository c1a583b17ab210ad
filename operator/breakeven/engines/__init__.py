"""What each vLLM release accepts, does and reports: one data table, one loader. Pure."""
