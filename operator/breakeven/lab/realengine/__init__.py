"""A real vLLM (CPU build) in the lab's pods: installed and given models on the spot, into a per-user cache."""
