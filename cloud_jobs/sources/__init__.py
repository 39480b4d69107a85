"""Where the cloud layer hears of things: a mailbox, Smoobu, flights, the weather."""
