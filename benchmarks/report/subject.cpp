#include "benchmarks/report/subject.hpp"

#include "benchmarks/report/format.hpp"

#include <algorithm>
#include <set>

namespace lang_agent::report {

namespace {

bool same_point(const run& x, const run& y) {
  return x.step == y.step && x.offered == y.offered;
}

void add(std::vector<point>& points, const run& x) {
  const auto i = std::find_if(points.begin(), points.end(),
                              [&](const point& p) { return same_point(p.first(), x); });
  if (i != points.end())
    i->rounds.push_back(&x);
  else
    points.push_back({.rounds = {&x}});
}

std::string target_name(const run& x) {
  return x.target.empty() ? x.url : x.target;
}

std::vector<subject> targets_of(const result& x) {
  std::vector<subject> out;
  for (const auto& one : x.runs) {
    auto i = std::find_if(out.begin(), out.end(), [&](const subject& s) {
      return s.points.front().first().target == one.target
             && s.points.front().first().url == one.url;
    });
    if (i == out.end())
      i = out.insert(out.end(), {.name = target_name(one), .from = &x});
    add(i->points, one);
  }
  return out;
}

std::string name_among(const subject& x, bool only_result, bool only_target) {
  if (only_result)
    return x.name;
  return only_target ? x.from->label : x.from->label + ": " + x.name;
}

void make_unlike(std::vector<subject>& subjects) {
  std::set<std::string> names;
  for (auto& x : subjects) {
    const auto name = printable(x.name);
    x.name = name;
    for (int i = 2; !names.insert(x.name).second; ++i)
      x.name = name + " (" + std::to_string(i) + ")";
  }
}

std::string plural(double n, const std::string& of) {
  return format_number(n) + " " + of + (n == 1 ? "" : "s");
}

const point* find_load(const subject& x, const load& wanted) {
  const auto i = std::find_if(x.points.begin(), x.points.end(),
                              [&](const point& p) { return p.first().offered == wanted; });
  return i == x.points.end() ? nullptr : &*i;
}

/// "what (this, that)" when they differ, else "".
std::string difference(const char* what, const std::string& base, const std::string& other) {
  return base == other ? "" : std::string{what} + " (" + base + ", " + other + ")";
}

std::vector<std::string> differences(const load& base, const load& other) {
  const auto number = [](const std::optional<double>& x) {
    return x ? format_number(*x) : std::string{"none"};
  };
  const auto stream = [](const load& x) {
    return std::string{x.stream ? "streamed" : "not streamed"};
  };
  std::vector<std::string> out = {
      difference("loop", base.loop, other.loop),
      difference("arrivals", base.arrivals, other.arrivals),
      difference("rate", number(base.rate), number(other.rate)),
      difference("concurrency", number(base.concurrency), number(other.concurrency)),
      difference("stream", stream(base), stream(other)),
      difference("turns", number(base.turns), number(other.turns)),
      difference("history", base.history, other.history)};
  std::erase(out, "");
  return out;
}

std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& x : parts)
    out += (out.empty() ? "" : ", ") + x;
  return out;
}

} // namespace

const point* subject::point_of(int step) const {
  const auto i = std::find_if(points.begin(), points.end(),
                              [&](const point& p) { return p.first().step == step; });
  return i == points.end() ? nullptr : &*i;
}

const point& subject::main_point() const {
  for (const auto& step : {from->swept ? from->swept->knee_step : std::nullopt,
                           from->swept ? from->swept->best_step : std::nullopt})
    if (const auto* x = step ? point_of(*step) : nullptr)
      return *x;
  return points.back();
}

std::vector<subject> subjects_of(std::span<const result> results) {
  std::vector<subject> out;
  for (const auto& x : results) {
    const auto targets = targets_of(x);
    for (auto target : targets) {
      target.name = name_among(target, results.size() == 1, targets.size() == 1);
      out.push_back(std::move(target));
    }
  }
  make_unlike(out);
  return out;
}

std::vector<view> views_of(std::span<const subject> subjects) {
  std::vector<view> out;
  if (std::all_of(subjects.begin(), subjects.end(),
                  [](const subject& x) { return x.points.size() == 1; })) {
    auto& only = out.emplace_back();
    for (const auto& x : subjects)
      only.members.push_back(&x.points.front());
    return out;
  }
  for (const auto& x : subjects.front().points) {
    auto& one = out.emplace_back(view{.name = amount_of(x.first().offered), .members = {&x}});
    for (const auto& other : subjects.subspan(1))
      one.members.push_back(find_load(other, x.first().offered));
  }
  return out;
}

std::size_t main_view(std::span<const subject> subjects, std::span<const view> views) {
  const auto rank = [&](const view& x) {
    const auto missing = std::count(x.members.begin(), x.members.end(), nullptr);
    return std::pair{-missing, x.members.front() == &subjects.front().main_point()};
  };
  const auto i = std::max_element(views.begin(), views.end(),
                                  [&](const view& x, const view& y) { return rank(x) < rank(y); });
  return static_cast<std::size_t>(i - views.begin());
}

std::string amount_of(const load& x) {
  if (x.rate)
    return format_number(*x.rate) + " requests/s";
  return x.concurrency ? format_number(*x.concurrency) + " at once" : "unlimited";
}

std::vector<std::string> describe(const load& x) {
  std::vector<std::string> out;
  if (!x.loop.empty())
    out.push_back(printable(x.loop) + " loop");
  if (!x.arrivals.empty())
    out.push_back(printable(x.arrivals) + " arrivals");
  out.push_back(amount_of(x));
  if (x.rate && x.concurrency)
    out.push_back("at most " + format_number(*x.concurrency) + " at once");
  out.push_back(x.stream ? "streamed" : "not streamed");
  out.push_back(plural(x.turns, "turn"));
  if (!x.history.empty())
    out.push_back("history kept by the " + printable(x.history));
  return out;
}

std::vector<std::string> warnings_of(std::span<const subject> subjects,
                                     std::span<const view> views) {
  std::vector<std::string> out;
  for (std::size_t i = 1; i < subjects.size(); ++i) {
    const auto pair = subjects.front().name + " and " + subjects[i].name;
    const auto x = std::find_if(views.begin(), views.end(),
                                [&](const view& v) { return v.members[i] != nullptr; });
    const auto found = x == views.end() ? std::vector<std::string>{"load (none in common)"}
                                        : differences(x->members.front()->first().offered,
                                                      x->members[i]->first().offered);
    if (!found.empty())
      out.push_back(pair + " differ in " + printable(join(found)) + ".");
    if (subjects.front().from->machine != subjects[i].from->machine)
      out.push_back(pair + " ran on different machines ("
                    + printable(subjects.front().from->machine + "; " + subjects[i].from->machine)
                    + ").");
  }
  return out;
}

std::string doubt_about(std::span<const view> views) {
  // Ranges of equal targets do not overlap by chance: of 1 round always, of 2 in one case out of
  // three, of 4 in three of a hundred.
  constexpr std::size_t enough = 4;
  auto fewest = enough;
  for (const auto& x : views)
    for (const auto* p : x.members)
      fewest = p ? std::min(fewest, p->rounds.size()) : fewest;
  if (fewest == enough)
    return "";
  return "Differences may be chance, with " + plural(static_cast<double>(fewest), "round")
         + " only: measure with --rounds 4 or more.";
}

} // namespace lang_agent::report
