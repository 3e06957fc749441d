-- The xmake package of Sake, for use from a clone: includes("path/to/sake/packaging/xmake") in your xmake.lua, then
-- add_requires("sake", {configs = {zlib = true}}) and add_packages("sake").
-- Not tried: xmake could not be installed where this was written.
local parts = {openssl = "openssl3", zlib = "zlib", brotli = "brotli", zstd = "zstd"}

package("sake")
    set_kind("library", {headeronly = true})
    set_description("A C++20 web framework in one header")
    set_license("MIT")
    set_sourcedir(path.join(os.scriptdir(), "../.."))

    add_deps("nlohmann_json >=3.9")
    for part, _ in pairs(parts) do
        add_configs(part, {description = "SAKE_WITH_" .. part:upper(), default = false, type = "boolean"})
    end
    if is_plat("linux", "bsd") then
        add_syslinks("pthread")
    end

    on_load(function (package)
        for part, library in pairs(parts) do
            if package:config(part) then
                package:add("deps", library)
                package:add("defines", "SAKE_WITH_" .. part:upper())
            end
        end
    end)

    on_install(function (package)
        os.cp("single_include/sake.hpp", package:installdir("include"))
    end)

    on_test(function (package)
        assert(package:has_cxxincludes("sake.hpp", {configs = {languages = "c++20"}}))
    end)
package_end()
