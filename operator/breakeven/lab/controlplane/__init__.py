"""etcd, kube-apiserver, kube-controller-manager, kube-scheduler and Prometheus as ordinary processes on loopback."""
