"""The Conan 2 recipe of Sake, for use from a clone: conan create packaging/conan -o "sake/*:with_zlib=True"

Not tried: Conan could not be installed where this was written.
"""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load

# Option -> the package that it needs, and the part of that package.
PARTS = {
    "openssl": ("openssl/[>=3 <4]", "openssl::crypto"),
    "zlib": ("zlib/[>=1.2.11 <2]", "zlib::zlib"),
    "brotli": ("brotli/[>=1.0.9 <2]", "brotli::brotlienc"),
    "zstd": ("zstd/[>=1.5 <2]", "zstd::zstdlib"),
}


class SakeConan(ConanFile):
    name = "sake"
    description = "A C++20 web framework in one header"
    license = "MIT"
    topics = ("web", "http", "websocket", "coroutines", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {f"with_{part}": [True, False] for part in PARTS}
    default_options = {f"with_{part}": False for part in PARTS}
    no_copy_source = True

    @property
    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def _parts(self):
        return [part for part in PARTS if self.options.get_safe(f"with_{part}")]

    def set_version(self):
        text = load(self, os.path.join(self._root, "sake", "base", "version.hpp"))
        self.version = re.search(r'#define SAKE_VERSION "(.*)"', text)[1]

    def export_sources(self):
        copy(self, "LICENSE", self._root, self.export_sources_folder)
        copy(self, "sake.hpp", os.path.join(self._root, "single_include"), self.export_sources_folder)

    def requirements(self):
        self.requires("nlohmann_json/[>=3.9 <4]")
        for part in self._parts():
            self.requires(PARTS[part][0])

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "sake.hpp", self.source_folder, os.path.join(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "sake")
        self.cpp_info.set_property("cmake_target_name", "sake::sake")
        self.cpp_info.set_property("pkg_config_name", "sake")
        self.cpp_info.defines = [f"SAKE_WITH_{part.upper()}" for part in self._parts()]
        self.cpp_info.requires = ["nlohmann_json::nlohmann_json"] + [PARTS[part][1] for part in self._parts()]
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["pthread"]
