#define CAF_SUITE load_marker
#include "tests/test.hpp"

#include "benchmarks/load/marker.hpp"

using namespace lang_agent;
using load::marker;
using load::marker_finder;

namespace {

const marker own{"k3x9pq", 17, 2};

struct finding {
  bool own = false;
  bool foreign = false;

  bool operator==(const finding&) const = default;
};

constexpr finding nothing{};
constexpr finding only_own{true, false};
constexpr finding foreign{false, true};

finding find(const std::string& text, std::size_t piece) {
  marker_finder x{own};
  for (std::size_t at = 0; at < text.size(); at += piece)
    x.add(std::string_view{text}.substr(at, piece));
  return {x.found_own(), x.found_foreign()};
}

/// The same however the text is cut.
bool finds(const std::string& text, finding wanted) {
  for (const std::size_t piece : {1, 2, 3, 7, 1000})
    if (find(text, piece) != wanted)
      return false;
  return true;
}

} // namespace

CAF_TEST(the own marker is found wherever it stands) {
  CAF_CHECK_EQUAL(to_text(own), "~k3x9pq/17/2~");
  CAF_CHECK(finds(to_text(own), only_own));
  CAF_CHECK(finds("You said: \"" + to_text(own) + " hello\".", only_own));
  CAF_CHECK(finds("~~k3x~k3x9pq/17/2~~", only_own));
}

CAF_TEST(an earlier turn of the same thread is neither) {
  CAF_CHECK(finds("~k3x9pq/17/1~", nothing));
}

CAF_TEST(words of another thread or run are foreign) {
  CAF_CHECK(finds("~k3x9pq/18/2~", foreign));
  CAF_CHECK(finds("~k3x9pq/1/7~", foreign));
  CAF_CHECK(finds("~aaaaaa/17/2~", foreign));
  CAF_CHECK(finds("~k3x9pq/17/2~ ~k3x9pq/171/2~", {true, true}));
}

CAF_TEST(what is cut or only looks like a marker is nothing) {
  for (const auto* text :
       {"~k3x9pq/18", "~k3x9pq/18/", "~k3x9pq/18/2", "~k3x9p/18/2~", "~k3x9pqr/18/2~",
        "~K3X9PQ/18/2~", "~k3x9pq//2~", "~k3x9pq/1a/2~", "~ k3x9pq/18/2~",
        "~k3x9pq/1111111111111111111111/2~", "k3x9pq/18/2", "~~~~~~~~~"})
    CAF_CHECK(finds(text, nothing));
}

CAF_TEST(runs have names of their own) {
  const auto one = load::new_run_name();
  CAF_CHECK_EQUAL(one.size(), load::run_name_size);
  CAF_CHECK_NOT_EQUAL(one, load::new_run_name());
}
