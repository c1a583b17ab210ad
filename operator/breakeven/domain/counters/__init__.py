"""vLLM's counters as they were scraped, cut into batches and windows that decisions may rest on."""
