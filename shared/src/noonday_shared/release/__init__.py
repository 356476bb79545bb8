"""Releases: built, signed, checked and unpacked by the same rules everywhere."""

from noonday_shared.release.archive import LARGEST_RELEASE, BuiltRelease, build_archive
from noonday_shared.release.extract import check_archive, safe_extract
from noonday_shared.release.manifest import FILE_NAME, KIND, HookFiles, ReleaseManifest, SignedRelease
from noonday_shared.release.members import Contents, check_members
from noonday_shared.release.signed import SUFFIX, check_contents, check_release, digest_of, open_manifest

__all__ = [
    "FILE_NAME",
    "KIND",
    "LARGEST_RELEASE",
    "SUFFIX",
    "BuiltRelease",
    "Contents",
    "HookFiles",
    "ReleaseManifest",
    "SignedRelease",
    "build_archive",
    "check_archive",
    "check_contents",
    "check_members",
    "check_release",
    "digest_of",
    "open_manifest",
    "safe_extract",
]
