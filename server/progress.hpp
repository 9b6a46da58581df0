/// A progress bar on standard error; silent where that is no terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace lang_agent {

class progress {
public:
  /// `total` 0: unknown; then only what is done is shown. `unit` is said after numbers: "threads".
  progress(std::string what, std::uint64_t total, std::string unit);
  ~progress(); ///< leaves the cursor on an empty line

  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  void add(std::uint64_t done);

private:
  void draw() const;

  std::string what_;
  std::uint64_t total_;
  std::string unit_;
  std::uint64_t done_ = 0;
  bool visible_;
  std::chrono::steady_clock::time_point drawn_ = {};
};

} // namespace lang_agent
