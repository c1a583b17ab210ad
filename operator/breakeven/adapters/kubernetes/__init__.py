"""The API server: objects, Events and the Lease, over the kubernetes client."""
