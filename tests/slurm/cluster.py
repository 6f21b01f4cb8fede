"""A SLURM of one machine that pretends to have two GPUs, brought up without systemd or /etc/slurm.

Everything lies in one folder: daemons, keys, sockets, logs. The clients are called through little
programs that name the configuration, because Snakemake's job step drops SLURM_CONF.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
ASKED_IF_INSTALLED = ("sacct", "sacctmgr", "sshare")
CLIENTS = ("sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
NODE = "pretended"
SECONDS_TO_COME_UP = 40

SLURM_CONF = """
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
PluginDir={plugins}
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
PropagateResourceLimits=NONE
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
MinJobAge=3600
KillWait=5
JobRequeue=1
CompleteWait=0
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=2,sched_interval=2,sched_min_interval=0,batch_sched_delay=0
GresTypes=gpu
NodeName={node} NodeAddr=127.0.0.1 Port={daemon} CPUs=16 RealMemory=400000 Gres=gpu:pretended:2
PartitionName=cpu Nodes={node} Default=YES MaxTime=INFINITE
PartitionName=gpu Nodes={node} MaxTime=INFINITE
"""


def missing_programs() -> list[str]:
    """Return what of SLURM and munge is not installed here."""
    return [name for name in (*DAEMONS, *CLIENTS) if find_program(name) is None]


def find_program(name: str) -> str | None:
    """Return the path of a program; daemons often lie where users do not look."""
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"]))


class Cluster:
    """A running SLURM; ends with all its jobs when the context does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: list[subprocess.Popen[bytes]] = []
        self.clients = folder / "bin"

    def __enter__(self) -> Cluster:
        """Bring the daemons up and wait for the node to be idle."""
        self._write_files()
        try:
            self._start("munged", "--force", "--foreground", *self._munge_files())
            self._wait_for((self.folder / "munge.socket").exists)
            self._start("slurmctld", "-D", "-c", "-f", str(self.configuration))
            self._start("slurmd", "-D", "-c", "-f", str(self.configuration), "-N", NODE)
            self._wait_for(lambda: self.ask("sinfo", "-h", "-o", "%t") == "idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Cancel every job, wait for its processes, and end the daemons."""
        if len(self.daemons) == len(DAEMONS):
            self.ask("scancel", "--full", "--user", os.environ.get("USER", str(os.getuid())))
            with suppress(TimeoutError):
                self._wait_for(lambda: not self.ask("squeue", "-h"))
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(15)
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()

    @property
    def configuration(self) -> Path:
        """Return the path of slurm.conf."""
        return self.folder / "slurm.conf"

    def environment(self, variables: dict[str, str]) -> dict[str, str]:
        """Return an environment in which the clients of this cluster are found first."""
        return variables | {"PATH": os.pathsep.join([str(self.clients), variables["PATH"]])}

    def ask(self, client: str, *arguments: str) -> str:
        """Return what a client says, nothing while the controller does not answer."""
        try:
            return subprocess.run(
                [str(self.clients / client), *arguments],
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            ).stdout.strip()
        except subprocess.TimeoutExpired:
            return ""

    def jobs(self) -> list[dict[str, str]]:
        """Return the records of all jobs, in the order of their submission."""
        lines = self.ask("scontrol", "--oneliner", "show", "job").splitlines()
        records = [line_to_record(line) for line in lines if line.startswith("JobId=")]
        return sorted(records, key=lambda record: int(record["JobId"]))

    def jobs_of(self, folder: Path) -> list[dict[str, str]]:
        """Return the records of the jobs that a Snakemake sent from a folder, with their rules.

        A job's log stands in a folder named after its rule, or after its group and the rules in it.
        """
        sent = [job for job in self.jobs() if job["WorkDir"] == str(folder)]
        kinds = [Path(job["StdOut"]).relative_to(folder / "logs/slurm").parts[0] for job in sent]
        return [
            job | {"Rule": kind.removeprefix("rule_")}
            for job, kind in zip(sent, kinds, strict=True)
        ]

    def _write_files(self) -> None:
        """Write keys, the configuration, the pretended GPUs and the clients' programs."""
        self.folder.chmod(0o755)
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        controller, daemon = free_ports(2)
        self.configuration.write_text(
            SLURM_CONF.format(
                host=socket.gethostname().split(".")[0],
                node=NODE,
                folder=self.folder,
                user=user_name(),
                controller=controller,
                daemon=daemon,
                plugins=plugin_folder(),
            )
        )
        devices = [str(path) for path in self._pretended_gpus()]
        (self.folder / "gres.conf").write_text(
            "AutoDetect=off\n"
            + "".join(f"NodeName={NODE} Name=gpu Type=pretended File={path}\n" for path in devices)
        )
        for name in filter(find_program, (*CLIENTS, *ASKED_IF_INSTALLED)):
            program = self.clients / name
            program.write_text(
                f'#!/bin/sh\nSLURM_CONF={self.configuration} exec {find_program(name)} "$@"\n'
            )
            program.chmod(0o755)

    def _pretended_gpus(self) -> list[Path]:
        """Return two character devices: SLURM accepts nothing else for a GPU."""
        if os.getuid():
            return [Path("/dev/tty0"), Path("/dev/tty1")]
        paths = [self.folder / f"gpu{number}" for number in range(2)]
        for path in paths:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        return paths

    def _munge_files(self) -> list[str]:
        """Return munged's options that keep all its files in the folder."""
        names = ("key", "pid", "log", "seed")
        files = [f"--{name}-file={self.folder}/munge.{name}" for name in names]
        return [*files, f"--socket={self.folder}/munge.socket", "--num-threads=2"]

    def _start(self, name: str, *arguments: str) -> None:
        """Start a daemon; what it says before it has a log goes beside it."""
        with (self.folder / f"{name}.said").open("wb") as said:
            self.daemons.append(
                subprocess.Popen(
                    [str(find_program(name)), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
            )

    def _wait_for(self, condition) -> None:
        """Wait until a condition holds; a daemon that ended is an error with its last words."""
        end = time.monotonic() + SECONDS_TO_COME_UP
        while not condition():
            ended = [daemon.args[0] for daemon in self.daemons if daemon.poll() is not None]
            if ended or time.monotonic() > end:
                said = [path.read_text()[-800:] for path in self.folder.glob("*.said")]
                raise TimeoutError(f"SLURM did not come up; ended: {ended}\n" + "\n".join(said))
            time.sleep(0.2)


def line_to_record(line: str) -> dict[str, str]:
    """Return one line of `scontrol --oneliner show job` by its names."""
    return dict(part.split("=", 1) for part in line.split() if "=" in part)


def user_name() -> str:
    """Return the name of the user that runs this."""
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def plugin_folder() -> str:
    """Return where SLURM's plugins lie, beside its libraries."""
    found = [
        *Path("/usr/lib").glob("*/slurm-wlm"),
        *Path("/usr/lib").glob("*/slurm"),
        Path("/usr/lib64/slurm"),
    ]
    return str(next(path for path in found if path.is_dir()))


def free_ports(number: int) -> list[int]:
    """Return ports that nothing listens at."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
