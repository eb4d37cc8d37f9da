# Writes OUTPUT, which defines landmark::cache::compilerHash(): the SHA-256 of the contents of FILES (separated by commas).
string(REPLACE "," ";" FILES "${FILES}")
set(hashes "")
foreach(file ${FILES})
  file(SHA256 ${file} hash)
  string(APPEND hashes "${hash}\n")
endforeach()
string(SHA256 hash "${hashes}")
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT "// Made by cmake/CompilerHash.cmake.
namespace landmark::cache {
const char *compilerHash();
const char *compilerHash() { return \"@hash@\"; }
} // namespace landmark::cache
")
