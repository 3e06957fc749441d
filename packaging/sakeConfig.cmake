# find_package(sake) defines sake::sake: the include directory, C++20, threads and nlohmann/json.
include(CMakeFindDependencyMacro)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_dependency(Threads)
find_dependency(nlohmann_json 3.9)

if(NOT TARGET sake::sake)
  get_filename_component(_sake_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
  add_library(sake::sake INTERFACE IMPORTED)
  set_target_properties(sake::sake PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_sake_prefix}/include")
  target_compile_features(sake::sake INTERFACE cxx_std_20)
  target_link_libraries(sake::sake INTERFACE Threads::Threads nlohmann_json::nlohmann_json)
  unset(_sake_prefix)
endif()
