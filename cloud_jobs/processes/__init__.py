"""The processes of the cloud layer: API, scheduler, worker."""
