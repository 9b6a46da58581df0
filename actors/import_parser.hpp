/// An import, read line by line and turned into what the store has to be asked and told. No actor,
/// no I/O: the API and the command line drive it, each in its way.
#pragma once

#include "http/thread_codec.hpp"
#include "messages/error.hpp"
#include "messages/threads.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace lang_agent {

class import_parser {
public:
  import_parser(std::string tenant, std::size_t max_line_bytes)
      : tenant_(std::move(tenant)), max_line_(max_line_bytes) {}

  /// More of the body; `last`: nothing follows.
  void feed(std::string_view piece, bool last);

  struct need_input {};
  struct complete {};

  /// A `find_thread` asks whether an id is free: if not, the import has failed. Changes have to be
  /// made in order, one after the other. After a failure or the end, do not ask again.
  using step =
      std::variant<need_input, complete, find_thread, import_messages, finish_import, failure>;
  step next();

  /// The part of an unfinished thread that the store has to discard; unset: there is none.
  std::optional<discard_import> unfinished() const;

  /// Of the thread at hand.
  const std::string& thread_id() const {
    return current_->info.id;
  }

private:
  /// One thread of the file, until its last line.
  struct thread_in_progress {
    std::string import; ///< its name in the store
    thread_info info;
    std::uint64_t messages = 0;
    import_messages piece;
    std::size_t bytes = 0; ///< of the piece
    bool finished = false;
  };

  std::optional<std::string_view> take_line();
  void read_line(std::string_view text);
  void read(thread_info& x);
  void read(stored_message& x);
  void read(const http::import_end& x);
  void read(failure& why);
  void fail(const std::string& problem);
  void end_piece();
  step end() const;

  std::string tenant_;
  std::size_t max_line_;
  std::string unread_;       ///< what has come and is not parsed
  std::size_t begin_ = 0;    ///< of the next line in it
  std::size_t searched_ = 0; ///< there is no line end between `begin_` and here
  bool is_last_ = false;
  std::size_t line_ = 0;
  std::size_t threads_ = 0; ///< finished ones
  std::optional<thread_in_progress> current_;
  std::deque<step> steps_;
};

} // namespace lang_agent
