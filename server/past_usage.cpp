#include "server/past_usage.hpp"

namespace lang_agent {

namespace {

constexpr std::size_t page_size = 1000;

std::int32_t first_day_of_month(unix_ms now) {
  const std::chrono::year_month_day today{std::chrono::sys_days{std::chrono::days{day_of(now)}}};
  const std::chrono::sys_days first{today.year() / today.month() / std::chrono::day{1}};
  return static_cast<std::int32_t>(first.time_since_epoch().count());
}

void add(past_use& sums, const usage_counts& x, bool is_today) {
  const auto tokens = x.prompt_tokens + x.completion_tokens;
  const auto cost = static_cast<std::uint64_t>(x.cost);
  sums.month_tokens += tokens;
  sums.month_cost += cost;
  if (!is_today)
    return;
  sums.day_tokens += tokens;
  sums.day_cost += cost;
}

} // namespace

past_usage::past_usage(store::thread_store& from, unix_ms now) : read_at_(now) {
  read_usage query;
  query.first_day = first_day_of_month(now);
  query.last_day = day_of(now);
  query.limit = page_size;
  for (bool more = true; more;) {
    auto answer = from.ask(query);
    const auto& rows = std::get<page<usage_row>>(answer);
    for (const auto& [key, counts] : rows.data) {
      const bool is_today = key.day == query.last_day;
      add(of_[{key.tenant, ""}], counts, is_today);
      add(of_[{key.tenant, key.key}], counts, is_today);
    }
    more = rows.has_more;
    if (more)
      query.after = rows.data.back().key;
  }
}

void past_usage::restore(ledger& account, const std::string& tenant) const {
  for (auto i = of_.lower_bound({tenant, ""}); i != of_.end() && i->first.first == tenant; ++i)
    account.restore(i->first.second, i->second, read_at_);
}

} // namespace lang_agent
