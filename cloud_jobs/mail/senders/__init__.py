"""One module for each that sends reservation mails: what its subjects and labels mean."""
