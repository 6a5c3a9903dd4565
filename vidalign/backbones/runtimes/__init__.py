"""What computes a network: torch in the way that is fastest on the device, or OpenVINO."""
