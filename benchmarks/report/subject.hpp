/// What a report compares: targets, with their rounds merged.
#pragma once

#include "benchmarks/report/result.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lang_agent::report {

/// Runs of one target under one load: its rounds, at least one.
struct point {
  std::vector<const run*> rounds;

  const run& first() const {
    return *rounds.front();
  }
};

/// A target of a result. Refers into the result.
struct subject {
  std::string name; ///< printable, unlike that of any other
  const result* from;
  std::vector<point> points = {};        ///< at least one; several in a sweep, in its order
  const point* point_of(int step) const; ///< or null

  /// The knee of a sweep, else the best step, else the last point.
  const point& main_point() const;
};

std::vector<subject> subjects_of(std::span<const result> results);

/// The subjects under one load.
struct view {
  std::string name;                  ///< "100 requests/s"; "" when subjects have one point each
  std::vector<const point*> members; ///< one for each subject; null: never had this load
};

/// Points to compare: one view for subjects of one point each, whatever their loads; else one for
/// each load of the first subject.
std::vector<view> views_of(std::span<const subject> subjects);

/// The view to begin with: the first subject's main point, or where most subjects meet.
std::size_t main_view(std::span<const subject> subjects, std::span<const view> views);

/// "100 requests/s", "32 at once".
std::string amount_of(const load& x);

/// "open loop, poisson, 100 requests/s", ...
std::vector<std::string> describe(const load& x);

/// Why figures in these views cannot be compared with the base's, one sentence each.
std::vector<std::string> warnings_of(std::span<const subject> subjects,
                                     std::span<const view> views);

/// What to think of differences between so few rounds, as a sentence; "" when there are enough.
std::string doubt_about(std::span<const view> views);

} // namespace lang_agent::report
