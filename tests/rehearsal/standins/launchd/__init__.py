"""launchd and ``launchctl`` for a Linux host: a rehearsal's stand-in.

Daemons' plists become systemd units; the traps that a role falls into on a Mac are there, with
the same error numbers: `bootout` returns before the job is gone, the disabled override outlives
plist and reboot, there is no `gui/` domain over ssh, a plist must be root's and 0644, PATH is
short, 256 open files are the soft limit, a job that dies within 10 s is respawned only then.

What it can't show: the real launchd's timing and its log, privacy prompts (TCC), sandbox
profiles, sockets and MachServices, sleep and wake, a StartInterval that falls into a run of its
own job (launchd leaves that one out; here it comes as soon as the run ends), KeepAlive conditions
other than SuccessfulExit and Crashed, code signing, and what future versions of macOS change in the
text of `print`. A key that it does not know is refused; the real one ignores it.
"""
