# Runs packaging/vcpkg/portfile.cmake with stand-ins for the functions of vcpkg that it calls, all its features on.
# What it installs is in PACKAGES. The stand-in of vcpkg_cmake_config_fixup moves the files and corrects the prefix as
# ports/vcpkg-cmake-config of vcpkg's repository says.
set(CURRENT_PACKAGES_DIR "${PACKAGES}")
set(PORT sake)
get_filename_component(port "${CMAKE_CURRENT_LIST_DIR}/../../../packaging/vcpkg/portfile.cmake" ABSOLUTE)

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status)
  if(status)
    message(FATAL_ERROR "failed: ${ARGV}")
  endif()
endfunction()

function(vcpkg_check_features)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "OUT_FEATURE_OPTIONS" "FEATURES")
  set(options)
  while(arg_FEATURES)
    list(GET arg_FEATURES 1 option)
    list(REMOVE_AT arg_FEATURES 0 1)
    list(APPEND options -D${option}=ON)
  endwhile()
  set(${arg_OUT_FEATURE_OPTIONS} ${options} PARENT_SCOPE)
endfunction()

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "SOURCE_PATH" "OPTIONS")
  run(${CMAKE_COMMAND} -S "${arg_SOURCE_PATH}" -B "${WORK}" -DCMAKE_CXX_COMPILER=${CXX} ${arg_OPTIONS})
endfunction()

function(vcpkg_cmake_install)
  run(${CMAKE_COMMAND} --install "${WORK}" --prefix "${PACKAGES}")
endfunction()

function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "CONFIG_PATH" "")
  file(RENAME "${PACKAGES}/${arg_CONFIG_PATH}" "${PACKAGES}/share/${PORT}")
  file(READ "${PACKAGES}/share/${PORT}/sakeConfig.cmake" text)
  string(REPLACE [[get_filename_component(PACKAGE_PREFIX_DIR "${CMAKE_CURRENT_LIST_DIR}/../../../" ABSOLUTE)]]
    [[get_filename_component(PACKAGE_PREFIX_DIR "${CMAKE_CURRENT_LIST_DIR}/../../" ABSOLUTE)]] text "${text}")
  file(WRITE "${PACKAGES}/share/${PORT}/sakeConfig.cmake" "${text}")
endfunction()

function(vcpkg_fixup_pkgconfig)
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "FILE_LIST")
  file(COPY ${arg_FILE_LIST} DESTINATION "${PACKAGES}/share/${PORT}")
endfunction()

include("${port}")
