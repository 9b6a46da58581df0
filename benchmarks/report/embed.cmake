# Writes a .cpp that holds files as texts: cmake -DOUT=... -DNAMES=a,b -DFILES=x,y -P embed.cmake
string(REPLACE "," ";" names "${NAMES}")
string(REPLACE "," ";" files "${FILES}")
set(definitions "")
foreach(name file IN ZIP_LISTS names files)
  file(READ "${file}" text)
  string(APPEND definitions "const std::string_view ${name} = R\"embedded(${text})embedded\";\n\n")
endforeach()
file(WRITE "${OUT}" "#include \"benchmarks/report/assets.hpp\"

namespace lang_agent::report::assets {

${definitions}} // namespace lang_agent::report::assets
")
