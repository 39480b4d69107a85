"""Leading and standing by: the lease, the spool, replication, failover, switchover, rejoin."""
