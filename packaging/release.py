#!/usr/bin/env python3
"""Makes a release of HEAD: every file that is published, in one folder. A second run makes the same bytes.

    release.py FOLDER        make it; what was in FOLDER is removed
    release.py --versions    print the version that each file names; exit 1 if two of them differ

It refuses, and says why, if the tree is not committed, if versions differ, if the single header is stale, or if
CHANGELOG.md has no section of the version.
"""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VERSION_PART = "sake/base/version.hpp"


class Refusal(Exception):
    """There can be no release; the text says why, and what to do."""


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def run(*command, cwd=ROOT, **options):
    done = subprocess.run(command, cwd=cwd, capture_output=True, **options)
    if done.returncode:
        raise Refusal(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr).decode(errors='replace')}")
    return done.stdout


# ---- versions ----


def found(pattern, name):
    match = re.search(pattern, read(name), re.M)
    return match[1] if match else "no version"


def numbers():
    return ".".join(found(rf"^#define SAKE_VERSION_{part} (\d+)$", VERSION_PART) for part in ("MAJOR", "MINOR", "PATCH"))


def versions():
    """Place -> version. CMakeLists.txt and conanfile.py have none: they read it from version.hpp."""
    return {
        VERSION_PART: found(r'^#define SAKE_VERSION "(.*)"$', VERSION_PART),
        f"{VERSION_PART} (numbers)": numbers(),
        "single_include/sake.hpp": found(r"^// Sake ([\d.]+\d)", "single_include/sake.hpp"),
        "meson.build": found(r"version: '([^']*)', license", "meson.build"),
        "packaging/sake.wrap": found(r"^revision = v(.*)$", "packaging/sake.wrap"),
        "packaging/vcpkg/vcpkg.json": json.loads(read("packaging/vcpkg/vcpkg.json"))["version"],
        "packaging/debian/changelog": found(r"^sake \((.*)\) ", "packaging/debian/changelog"),
    }


def disagreement(found_versions):
    """The places whose version is not that of version.hpp, as text; empty if all agree."""
    version = found_versions[VERSION_PART]
    return "".join(f"\n  {place}: {other}" for place, other in found_versions.items() if other != version)


def changelog_section(version):
    """What CHANGELOG.md has under `## [version]`, without the heading."""
    match = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## \[|^\[[^\]]+\]: |\Z)", read("CHANGELOG.md"), re.M | re.S)
    if not match or not match[1].strip():
        raise Refusal(f"CHANGELOG.md has no section '## [{version}] - DATE', or an empty one: write it, "
                      "from what stands under '## [Unreleased]'")
    return match[1].strip() + "\n"


def check_tree():
    changed = run("git", "status", "--porcelain", "--untracked-files=all").decode()
    if changed:
        raise Refusal(f"the tree has changes that are not committed: commit or remove them\n{changed.rstrip()}")
    found_versions = versions()
    if wrong := disagreement(found_versions):
        raise Refusal(f"{VERSION_PART} says {found_versions[VERSION_PART]}, and these say otherwise: mend them{wrong}")
    run(sys.executable, "amalgamate.py", "--check")
    return found_versions[VERSION_PART]


# ---- files ----


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def source_archive(version):
    return gzip.compress(run("git", "archive", "--format=tar", f"--prefix=sake-{version}/", "HEAD"), mtime=0)


def split_archive(version, scratch, time):
    """The separate form as two files without macros, and the licence."""
    run(sys.executable, "amalgamate.py", "--split", "-o", scratch)
    shutil.copy(os.path.join(ROOT, "LICENSE"), scratch)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in ("LICENSE", "sake.cpp", "sake.hpp"):
            entry = archive.gettarinfo(os.path.join(scratch, name), f"sake-{version}-split/{name}")
            entry.mtime, entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = time, 0o644, 0, 0, "", ""
            with open(os.path.join(scratch, name), "rb") as file:
                archive.addfile(entry, file)
    return gzip.compress(data.getvalue(), mtime=0)


def debian_package(version, source, scratch):
    """The package is built from the source archive, as a packager would. Returns the path of the .deb."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(source))) as archive:
        archive.extractall(scratch)
    tree = os.path.join(scratch, f"sake-{version}")
    run("packaging/make_deb.sh", os.path.join(scratch, "deb"), "-b", cwd=tree)
    return os.path.join(scratch, "deb", f"libsake-dev_{version}_all.deb")


def make_files(version, notes, folder, scratch):
    def out(name):
        return os.path.join(folder, name)

    shutil.copyfile(os.path.join(ROOT, "single_include/sake.hpp"), out("sake.hpp"))
    run(sys.executable, "amalgamate.py", "--bundle-json", "-o", out("sake_with_json.hpp"))
    time = int(run("git", "log", "-1", "--format=%ct"))
    write(out(f"sake-{version}-split.tar.gz"), split_archive(version, os.path.join(scratch, "split"), time))
    source = source_archive(version)
    write(out(f"sake-{version}.tar.gz"), source)
    shutil.copy(debian_package(version, source, scratch), folder)
    write(out("NOTES.md"), notes.encode())


def sums(folder):
    """The text of SHA256SUMS, as sha256sum writes it."""
    lines = ""
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            lines += f"{hashlib.sha256(file.read()).hexdigest()}  {name}\n"
    return lines


def check_folder(folder):
    """It is emptied, so it must be that of a release, or new."""
    if os.path.isdir(folder) and os.listdir(folder) and not os.path.exists(os.path.join(folder, "SHA256SUMS")):
        raise Refusal(f"{folder} has files that are not of a release: name another folder, or remove it")


def release(folder):
    check_folder(folder)
    version = check_tree()
    notes = changelog_section(version)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with tempfile.TemporaryDirectory() as scratch:
        make_files(version, notes, folder, scratch)
    text = sums(folder)
    write(os.path.join(folder, "SHA256SUMS"), text.encode())
    print(f"Sake {version} is in {folder}:\n{text}", end="")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        if sys.argv[1] != "--versions":
            if sys.argv[1].startswith("-"):
                sys.exit(__doc__)
            release(os.path.abspath(sys.argv[1]))
            return 0
        found_versions = versions()
        print("\n".join(f"{version}  {place}" for place, version in found_versions.items()))
        return 1 if disagreement(found_versions) else 0
    except Refusal as refusal:
        print(f"no release: {refusal}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
