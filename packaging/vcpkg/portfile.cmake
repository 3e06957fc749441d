# The vcpkg port of Sake, for use from a clone: vcpkg install "sake[zlib]" --overlay-ports=packaging/vcpkg
# Not tried with vcpkg itself; tests/checks/packages runs this file with stand-ins for vcpkg's functions.
# For a registry, vcpkg_from_git or vcpkg_from_github replaces the next line.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
set(VCPKG_BUILD_TYPE release)  # nothing is compiled: a debug variant would be the same

vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS
  FEATURES
    openssl SAKE_WITH_OPENSSL
    zlib SAKE_WITH_ZLIB
    brotli SAKE_WITH_BROTLI
    zstd SAKE_WITH_ZSTD
)
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS ${FEATURE_OPTIONS} -DSAKE_BUILD_EXAMPLES=OFF -DSAKE_BUILD_TESTS=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/sake)
vcpkg_fixup_pkgconfig()
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
