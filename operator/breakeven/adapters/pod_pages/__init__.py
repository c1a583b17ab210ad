"""Engine metrics from the pods themselves, where no Prometheus is to be asked."""
