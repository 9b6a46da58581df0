/// An import, fed by hand.
#pragma once

#include "tests/actors/thread_fixture.hpp"

#include "http/thread_codec.hpp"

namespace lang_agent::test {

struct import_fixture : thread_fixture {
  std::size_t fed = 0; ///< pieces

  import_fixture() {
    context->max_import_line = 1000;
  }

  void begin_import() {
    fed = 0;
    call(http::endpoint::import_threads);
    CAF_CHECK_EQUAL(connection->reads, 1u);
  }

  /// The next piece of the body. It has to be asked for.
  void feed(const std::string& piece, bool last = false) {
    ++fed;
    if (connection->reads != fed)
      CAF_FAIL("piece " << fed << " was not asked for; reads=" << connection->reads);
    connection->listener->on_body(piece, last);
    sched.run();
  }

  /// A whole import in one piece.
  void import_file(const std::string& file) {
    begin_import();
    feed(file, true);
  }

  static std::string head_of(const std::string& id, std::uint64_t turns = 1) {
    thread_info x;
    x.id = id;
    x.created = 1'600'000'000'000;
    x.updated = 1'600'000'001'000;
    x.turns = turns;
    x.metadata = {{"a", "b"}};
    x.instructions = {message("system", "be brief")};
    return http::export_thread_line(x);
  }

  static std::string line_of(std::uint64_t number, const std::string& role,
                             const std::string& text) {
    return http::export_message_line({number, 1'600'000'000'500, false, message(role, text)});
  }

  static std::string end_of(const std::string& id, std::uint64_t messages) {
    return http::export_end_line(id, messages);
  }

  /// A complete thread of two messages.
  static std::string thread_file(const std::string& id) {
    return head_of(id) + line_of(1, "user", "hi") + line_of(2, "assistant", "hello")
           + end_of(id, 2);
  }

  /// What was begun is cleared away, and nobody sees it.
  bool was_discarded(const std::string& id) {
    sched.run();
    return count_of<discard_import>() == 1 && !exists(id);
  }

  thread_info info(const std::string& id) {
    return std::get<thread_info>(answer(find_thread{{"tenant", id}}));
  }
};

} // namespace lang_agent::test
