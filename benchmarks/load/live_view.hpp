/// A load while it runs, on standard error: one block that is drawn again and again where that is a
/// terminal, else a line now and then.
#pragma once

#include "benchmarks/load/load_run.hpp"

#include <chrono>
#include <string>

namespace lang_agent::load {

class live_view {
public:
  live_view();
  ~live_view(); ///< leaves the cursor on an empty line

  live_view(const live_view&) = delete;
  live_view& operator=(const live_view&) = delete;

  /// How often a picture makes sense.
  std::chrono::milliseconds interval() const;

  void show(const std::string& label, const snapshot& now);

  /// Takes the block away, for words that stay.
  void clear();

private:
  bool is_terminal_;
  int lines_ = 0; ///< of the block that is drawn
};

} // namespace lang_agent::load
