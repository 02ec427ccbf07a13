"""The station as a service of its machine: a systemd unit for Linux, a task for Windows' scheduler."""

import sys
from pathlib import Path, PurePath

from station_agent.key_at_rest import CREDENTIAL

_SYSTEMD = """\
# The station agent (充装站代理). Install it:
#   station-agent service-unit --config {config} | sudo tee /etc/systemd/system/station-agent.service
#   sudo systemctl daemon-reload && sudo systemctl enable --now station-agent
# It reads its lanes' scanners from the terminal below; `--headless` instead writes JSON lines to the system's journal.

[Unit]
Description=PingLian station agent (充装站代理)
# It begins without a network, too; so it waits for the disk alone.
RequiresMountsFor={data}

[Service]
Type=simple
User={user}
WorkingDirectory={data}
ExecStart={program} run --config {config}{headless}
{terminal}# What opens the device's key lies outside the data folder; move it there and let nobody but root read it.
LoadCredential={credential}:{machine_key}
# After a crash the valves are shut by the scales themselves; what was under way is recorded at the next start.
Restart=always
RestartSec=2
# A stop shuts the valves and writes the records down; a second of each is enough, half a minute is plenty.
TimeoutStopSec=30
NoNewPrivileges=true
ProtectSystem=strict
ReadWritePaths={data}
PrivateTmp=true

[Install]
WantedBy=multi-user.target
"""
_TERMINAL = """\
StandardInput=tty
StandardOutput=tty
TTYPath={tty}
TTYReset=true
TTYVHangup=true
"""
_LONGEST_TASK = 261
"""Characters that ``schtasks /tr`` takes."""
_WINDOWS = """\
@chcp 65001 >nul
@rem The station agent as a task that starts when its account signs on, in a window of its own, because the
@rem scanners type into that window. Run this once, signed on as the station's own account (not an administrator).
schtasks /create /f /tn "PingLian station agent" /sc onlogon /rl limited ^
  /tr "\\"{program}\\" run --config \\"{config}\\""
@rem What opens the device's key lies outside the data folder; let nobody but this account read both:
icacls "{machine_key}" /inheritance:r /grant:r "%USERNAME%:R"
icacls "{data}" /inheritance:r /grant:r "%USERNAME%:(OI)(CI)F"
@rem Started again after a crash: the window below looks after it, and may be closed to end the station.
@rem   for /l %%i in (0,0,1) do "{program}" run --config "{config}" ^& timeout /t 2 ^>nul
@rem To end and to remove it:
@rem   schtasks /end /tn "PingLian station agent"
@rem   schtasks /delete /tn "PingLian station agent" /f
"""


def systemd_unit(config: Path, data: Path, machine_key: Path, *, user: str, tty: str | None) -> str:
    """The unit's text; with `tty` the screen is shown there and scanners type into it, else it runs headless."""
    return _SYSTEMD.format(
        config=config, data=data, machine_key=machine_key, user=user, program=program(), credential=CREDENTIAL,
        headless="" if tty else " --headless", terminal=_TERMINAL.format(tty=tty) if tty else "",
    )  # fmt: skip


def windows_task(config: PurePath, data: PurePath, machine_key: PurePath) -> str:
    """A command file that makes the task, in ASCII but for the paths. Raises ValueError where they are too long."""
    command = f'"{program()}" run --config "{config}"'
    if len(command) > _LONGEST_TASK:
        raise ValueError(
            f"Windows' task scheduler takes a command of {_LONGEST_TASK} characters, this has {len(command)}: "
            "install the agent, or put its data, into a folder with a shorter name."
        )
    return _WINDOWS.format(config=config, data=data, machine_key=machine_key, program=program())


def program() -> Path:
    """Where this installation's `station-agent` is."""
    return Path(sys.executable).with_name("station-agent.exe" if sys.platform == "win32" else "station-agent")
