/// Result documents for the tests of the report.
#pragma once

#include "benchmarks/report/report.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace lang_agent::report::test {

/// A run; `more` are further members, which win over these.
inline std::string run(const std::string& target, const std::string& more = "\"step\":null") {
  return R"({"target":")" + target + R"(","url":"http://127.0.0.1:1/v1",)" + more
         + R"(,"seconds":10,
    "loop":"open","arrivals":"poisson","stream":true,"turns":1,"history":"server"})";
}

inline std::string document(const std::vector<std::string>& runs, const std::string& sweep = "null",
                            const std::string& schema = "lang-agent-bench/1") {
  std::string list;
  for (const auto& x : runs)
    list += (list.empty() ? "" : ",") + x;
  return R"({"schema":")" + schema + R"(","version":"0.1.0","runs":[)" + list + R"(],"sweep":)"
         + sweep + "}";
}

/// Members of a run with a throughput and a p99 of TTFT.
inline std::string figures(double requests_per_s, double ttft_p99,
                           const std::string& more = "\"rate\":100") {
  std::ostringstream out;
  out << more << R"(,"requests":{"scheduled":100,"started":100,"completed":90,"failed":10},)"
      << R"("throughput":{"requests_per_s":)" << requests_per_s << R"(},)"
      << R"("latency_ms":{"ttft":{"n":9,"min":1,"p99":)" << ttft_p99 << R"(,"max":)" << ttft_p99 + 1
      << R"(,"cdf":[[0,1],[1,)" << ttft_p99 << "]]}}";
  return out.str();
}

/// A file of tests/report/fixtures.
inline std::string fixture(const std::string& name) {
  const std::string here = __FILE__;
  std::ifstream in{here.substr(0, here.rfind('/')) + "/fixtures/" + name};
  if (!in)
    throw std::runtime_error{"there is no fixture " + name};
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// What is thrown; "nothing" otherwise.
template <class F>
std::string problem(F f) {
  try {
    f();
    return "nothing";
  } catch (const std::runtime_error& e) {
    return e.what();
  }
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The line that begins with `start`, after spaces; "" without one.
inline std::string line_of(const std::string& text, const std::string& start) {
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);)
    if (const auto i = line.find_first_not_of(' ');
        i != line.npos && line.substr(i).starts_with(start))
      return line;
  return "";
}

/// Its words, one space apart.
inline std::string words(const std::string& line) {
  std::istringstream in{line};
  std::string out;
  for (std::string word; in >> word;)
    out += (out.empty() ? "" : " ") + word;
  return out;
}

inline std::string row(const std::string& text, const std::string& start) {
  return words(line_of(text, start));
}

/// Columns of the longest line, each character one.
inline std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  std::size_t columns = 0;
  for (const auto x : text) {
    if (x == '\n')
      columns = 0;
    else if ((static_cast<unsigned char>(x) & 0xc0) != 0x80)
      widest = std::max(widest, ++columns);
  }
  return widest;
}

} // namespace lang_agent::report::test
