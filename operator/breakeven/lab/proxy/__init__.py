"""In kube-proxy's place: a listener for each Service, on its cluster IP, which is a loopback address in the lab."""
