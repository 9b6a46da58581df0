/// What tenants have in the store, and what they have used. Turns are many, so they do not write
/// these sums each time: the row that keeps a turn's answer tells what the turn added, and
/// `counted` up to which answer the tables `totals` and `usage` know. What is not counted yet is in
/// memory, and is found again at the next start.
#include "store/sqlite_engine.hpp"

#include <utility>

namespace lang_agent::store::sqlite {

namespace {

/// Turns that a start may have to look at.
constexpr std::size_t max_uncounted_turns = 256;
/// Tenants whose totals stay in memory although they need not.
constexpr std::size_t max_cached_totals = 1024;

} // namespace

/// They need not be asked of the file again: nobody else writes it.
engine::cached_totals& engine::totals_of(const std::string& tenant) {
  if (const auto found = totals_.find(tenant); found != totals_.end())
    return found->second;
  cached_totals out;
  auto rows = db_.query("SELECT threads, bytes FROM totals WHERE tenant = ?", tenant);
  if (rows.next())
    out.now = {rows.natural(0), rows.natural(1)};
  return totals_.emplace(tenant, out).first->second;
}

void engine::add_totals(const std::string& tenant, const tenant_totals& added) {
  auto& out = totals_of(tenant);
  totals_before_.emplace_back(tenant, out);
  out.uncounted = true;
  out.now.threads += added.threads;
  out.now.bytes += added.bytes;
}

void engine::add_to_usage(const usage_row& x) {
  auto& out = usage_[x.key];
  usage_before_.emplace_back(x.key, out);
  out += x.counts;
}

/// As part of the transaction, when it holds what no answer tells of, or turns enough have come.
void engine::write_sums_if_due() {
  if (!must_count_ && uncounted_turns_ < max_uncounted_turns)
    return;
  must_count_ = true;
  write_totals();
  write_usage();
  db_.run("UPDATE counted SET replay = ?", last_replay_);
}

void engine::write_totals() {
  for (const auto& [tenant, x] : totals_)
    if (x.uncounted)
      db_.run("INSERT INTO totals VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
              "threads = excluded.threads, bytes = excluded.bytes",
              tenant, static_cast<std::int64_t>(x.now.threads),
              static_cast<std::int64_t>(x.now.bytes));
}

/// The transaction is made: all that it wrote is true.
void engine::keep_sums() {
  totals_before_.clear();
  usage_before_.clear();
  if (!std::exchange(must_count_, false))
    return;
  uncounted_turns_ = 0;
  usage_.clear();
  if (totals_.size() > max_cached_totals)
    totals_.clear();
  for (auto& [tenant, x] : totals_)
    x.uncounted = false;
}

/// The transaction failed: all is as it was before.
void engine::undo_sums() {
  must_count_ = false;
  for (; !totals_before_.empty(); totals_before_.pop_back())
    totals_.at(totals_before_.back().first) = totals_before_.back().second;
  for (; !usage_before_.empty(); usage_before_.pop_back())
    if (const auto& [key, before] = usage_before_.back(); before == usage_counts{})
      usage_.erase(key);
    else
      usage_.at(key) = before;
}

/// Before answers are removed, and for a store at rest.
void engine::count_turns() {
  if (uncounted_turns_ > 0)
    transact([this] { must_count_ = true; });
}

/// At the start: the turns that `totals` does not know of. Whatever deletes threads counts them
/// first, so all of these are there.
void engine::find_uncounted_turns() {
  {
    auto rows = db_.query("SELECT max((SELECT coalesce(max(id), 0) FROM replays), replay) "
                          "FROM counted");
    last_replay_ = rows.next() ? rows.integer(0) : 0;
  }
  auto rows = db_.query("SELECT tenant, new_thread, replays.bytes, usage FROM replays "
                        "JOIN threads ON threads.id = thread "
                        "WHERE replays.id > (SELECT replay FROM counted)");
  while (rows.next()) {
    add_totals(std::string{rows.bytes(0)},
               {rows.natural(1), static_cast<std::uint64_t>(rows.integer(2))});
    if (const auto used = unpack_usage(rows.bytes(3)))
      add_to_usage(*used);
    ++uncounted_turns_;
  }
  totals_before_.clear();
  usage_before_.clear();
}

query_result engine::on(const read_totals& x) {
  const auto out = totals_of(x.tenant).now;
  if (uncounted_turns_ == 0 && totals_.size() > max_cached_totals)
    totals_.clear();
  return out;
}

} // namespace lang_agent::store::sqlite
