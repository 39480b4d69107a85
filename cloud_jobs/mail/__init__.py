"""Reservation mails: from the bytes of a mail to what it says. Pure functions, nothing is fetched.

:func:`cloud_jobs.mail.reading.read` is the way in; docs/mail.md has what it recognises.
"""
