"""Which maintainer scripts need not be run, and what they would have set up."""

from __future__ import annotations

import pytest

from tidegate.build.debian.scripts import Alternative, administration, read_scripts
from tidegate.build.native import NotNative

# As Debian 12's packages have them.
GCC = """#! /bin/sh

set -e

update-alternatives --quiet \\
    --install /usr/bin/cc cc /usr/bin/gcc 20 \\
    #--slave /usr/share/man/man1/cc.1.gz cc.1.gz /usr/share/man/man1/gcc.1.gz

update-alternatives --quiet \\
    --install /usr/bin/c89 c89 /usr/bin/c89-gcc 20 \\
    --slave /usr/share/man/man1/c89.1.gz c89.1.gz /usr/share/man/man1/c89-gcc.1.gz

# remove f77 alternative left over from an old egcs version ...
if [ -h /etc/alternatives/f77 -a ! -e /etc/alternatives/f77 ]; then
    rm -f /etc/alternatives/f77
fi



exit 0
"""
CPP = """#! /bin/sh

set -e

if [ "$1" != upgrade ]; then
    update-alternatives --quiet --install /lib/cpp cpp /usr/bin/cpp 10
fi

"""
LIBCRYPT = """#!/bin/sh
set -e
# Automatically added by dh_installdeb/13.11.4
dpkg-maintscript-helper symlink_to_dir /usr/share/doc/libcrypt-dev libcrypt1 1:4.4.27-1.1\\~ -- "$@"
# End automatically added section
"""
NETCAT = """#!/bin/sh

set -e

if [ "$1" = "configure" ] || [ "$1" = "abort-upgrade" ]; then
    update-alternatives \\
        --install /bin/nc nc /bin/nc.openbsd 50 \\
        --slave /bin/netcat netcat /bin/nc.openbsd
fi

exit 0
"""


def read(**scripts: str) -> list[Alternative]:
    return read_scripts({name: text.encode() for name, text in scripts.items()})


def test_alternatives_are_understood() -> None:
    c89 = Alternative("/usr/bin/c89", "c89", "/usr/bin/c89-gcc", 20, (
        ("c89.1.gz", "/usr/share/man/man1/c89.1.gz", "/usr/share/man/man1/c89-gcc.1.gz"),
    ))  # fmt: skip
    assert read(postinst=GCC) == [Alternative("/usr/bin/cc", "cc", "/usr/bin/gcc", 20), c89]
    assert read(postinst=CPP) == [Alternative("/lib/cpp", "cpp", "/usr/bin/cpp", 10)]
    (netcat,) = read(postinst=NETCAT)
    assert netcat.slaves == (("netcat", "/bin/netcat", "/bin/nc.openbsd"),)
    assert administration(c89) == (
        "auto\n/usr/bin/c89\nc89.1.gz\n/usr/share/man/man1/c89.1.gz\n\n/usr/bin/c89-gcc\n20\n"
        "/usr/share/man/man1/c89-gcc.1.gz\n\n"
    )


def test_what_only_an_upgrade_needs_is_nothing() -> None:
    assert read(preinst=LIBCRYPT, postinst=LIBCRYPT) == []
    assert read() == []
    assert read(prerm="#!/bin/sh\nrm -rf /x\n") == []


@pytest.mark.parametrize(
    ("scripts", "name"),
    [
        ({"config": "", "postinst": GCC}, "config"),
        ({"postinst": "#!/bin/sh\nset -e\nadduser --system x\n"}, "postinst"),
        ({"postinst": '#!/bin/sh\nif [ "$1" = configure ]; then\n  if true; then\n    x\n  fi\nfi\n'}, "postinst"),
        ({"postinst": '#!/bin/sh\nif [ "$1" = "configure" ]; then\n  update-mime\nfi\n'}, "postinst"),
        ({"preinst": "#!/bin/sh\ncase $1 in\n*) x;;\nesac\n"}, "preinst"),
        ({"preinst": "#!/usr/bin/perl\nexit 0\n"}, "preinst"),
        ({"postinst": "#!/bin/sh\nupdate-alternatives --remove rename /usr/bin/prename\n"}, "postinst"),
        ({"postinst": "#!/bin/sh\nupdate-alternatives --install a b c d\n"}, "postinst"),
        ({"postinst": "#!/bin/sh\nx=$(y)\n"}, "postinst"),
    ],
)
def test_any_other_script_is_named(scripts: dict[str, str], name: str) -> None:
    with pytest.raises(NotNative) as raised:
        read(**scripts)
    assert str(raised.value) == name
