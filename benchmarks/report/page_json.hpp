/// The data of the page, as its scripts read them. Private to page_*.cpp and html.cpp.
///
/// Texts are ready to be shown; numbers are for plots. Where a member of a list belongs to a
/// subject it has the subject's place, with null for one that has none.
#pragma once

#include "benchmarks/report/subject.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lang_agent::report {

using json_writer = rapidjson::Writer<rapidjson::StringBuffer>;

inline void write(json_writer& out, std::string_view text) {
  out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

inline void write(json_writer& out, const std::string& text) {
  write(out, std::string_view{text});
}

inline void write(json_writer& out, const char* text) {
  write(out, std::string_view{text});
}

inline void write(json_writer& out, bool x) {
  out.Bool(x);
}

inline void write(json_writer& out, const std::optional<double>& x) {
  if (x && std::isfinite(*x))
    out.Double(*x);
  else
    out.Null();
}

template <class List>
void write_list(json_writer& out, const List& list) {
  out.StartArray();
  for (const auto& x : list)
    write(out, x);
  out.EndArray();
}

template <class T>
void member(json_writer& out, const char* name, const T& x) {
  out.Key(name);
  write(out, x);
}

/// The data of a whole page.
std::string page_data(std::span<const result> results);

/// The member "distributions" of a view: for each metric and subject a list of [share, ms].
void write_distributions(json_writer& out, const view& x);

/// The member "timeline" of a subject: its runs laid end to end.
void write_timeline(json_writer& out, const subject& x);

/// The member "steps" of a subject: its points, for the curve of a sweep.
void write_steps(json_writer& out, const subject& x);

} // namespace lang_agent::report
