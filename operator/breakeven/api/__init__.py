"""The wire shape of a `SpeculativeDeployment`: pydantic models, the one source of the CRD. Imports nothing of ours."""
