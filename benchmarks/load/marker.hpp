/// Words in each prompt that name its run, thread and turn. Whoever repeats them to somebody else
/// gives away that threads were mixed up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lang_agent::load {

struct marker {
  std::string_view run; ///< `run_name_size` letters and digits
  std::uint64_t thread = 0;
  std::uint64_t turn = 1;

  bool operator==(const marker&) const = default;
};

constexpr std::size_t run_name_size = 6;

/// "~k3x9pq/17/2~"
std::string to_text(const marker& x);

/// Six letters and digits, other ones each time.
std::string new_run_name();

/// Finds markers in a text that comes in pieces, however they are cut.
class marker_finder {
public:
  /// `own`: whose answer the text is. Its `run` must outlive this.
  explicit marker_finder(const marker& own) : own_(own) {}

  void add(std::string_view text);

  /// There was a marker of another run or thread.
  bool found_foreign() const {
    return foreign_;
  }

  /// There was the marker itself.
  bool found_own() const {
    return found_own_;
  }

private:
  enum class part : std::uint8_t { outside, run, thread, turn };

  void add(char c);
  bool add_digit(char c);
  void complete();

  marker own_;
  part part_ = part::outside;
  std::uint8_t position_ = 0; ///< in the part
  bool own_run_ = true;
  bool foreign_ = false;
  bool found_own_ = false;
  std::uint64_t number_ = 0;
  std::uint64_t thread_ = 0;
};

} // namespace lang_agent::load
