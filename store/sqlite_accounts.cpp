#include "store/sqlite_engine.hpp"

#include <algorithm>
#include <limits>

namespace lang_agent::store::sqlite {

namespace {

blob bytes_of(const key_digest& x) {
  return {{reinterpret_cast<const char*>(x.data()), x.size()}};
}

key_digest read_key_digest(std::string_view bytes) {
  key_digest out = {};
  if (bytes.size() != out.size())
    throw storage_error{"the database holds a key without a digest"};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

/// Counts are within the range, see `usage_counts`.
std::int64_t number_of(std::uint64_t x) {
  return static_cast<std::int64_t>(
      std::min<std::uint64_t>(x, std::numeric_limits<std::int64_t>::max()));
}

usage_row read_usage_row(const cursor& row) {
  usage_row out;
  out.key = {std::string{row.bytes(1)}, std::string{row.bytes(2)}, std::string{row.bytes(3)},
             static_cast<std::int32_t>(row.integer(0))};
  out.counts = {row.natural(4), row.natural(5), row.natural(6), row.natural(7),
                row.natural(8), row.natural(9), row.integer(10)};
  return out;
}

} // namespace

// -- administration -------------------------------------------------------------------------------

change_result engine::on(const admin_change& x) {
  const auto about = std::visit([this](const auto& what) { return make(what); }, x.what);
  if (const auto* why = std::get_if<refusal>(&about))
    return *why;
  db_.run("INSERT INTO audit (at, who, action, object, detail, tenant) VALUES (?, ?, ?, ?, ?, ?)",
          x.audit.at, x.audit.who, x.audit.action, x.audit.object, x.audit.detail,
          std::get<std::string>(about));
  return {};
}

engine::tenant_or_refusal engine::make(const put_tenant& x) {
  db_.run("INSERT OR REPLACE INTO tenants VALUES (?, ?)", x.tenant.id, x.tenant.settings);
  return x.tenant.id;
}

engine::tenant_or_refusal engine::make(const remove_tenant& x) {
  {
    auto rows = db_.query("DELETE FROM tenants WHERE id = ? RETURNING 1", x.id);
    if (!rows.next())
      return refusal::no_account;
  }
  db_.run("DELETE FROM keys WHERE tenant = ?", x.id);
  return x.id;
}

engine::tenant_or_refusal engine::make(const put_key& x) {
  const auto& key = x.key;
  {
    auto rows =
        db_.query("SELECT 1 FROM keys WHERE digest = ? AND id <> ?", bytes_of(key.digest), key.id);
    if (rows.next())
      return refusal::key_taken;
  }
  db_.run("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
          "tenant = excluded.tenant, digest = excluded.digest, label = excluded.label, "
          "hint = excluded.hint, created = excluded.created, expires = excluded.expires, "
          "disabled = excluded.disabled, last_used = max(last_used, excluded.last_used), "
          "limits = excluded.limits",
          key.id, key.tenant, bytes_of(key.digest), key.label, key.hint, key.created, key.expires,
          std::int64_t{key.disabled}, key.last_used, key.limits);
  return key.tenant;
}

engine::tenant_or_refusal engine::make(const remove_key& x) {
  auto rows = db_.query("DELETE FROM keys WHERE id = ? RETURNING tenant", x.id);
  if (!rows.next())
    return refusal::no_account;
  return std::string{rows.bytes(0)};
}

engine::tenant_or_refusal engine::make(const rotate_key& x) {
  {
    auto rows = db_.query("SELECT 1 FROM keys WHERE id = ?", x.id);
    if (!rows.next())
      return refusal::no_account;
  }
  auto out = make(put_key{x.fresh});
  if (std::holds_alternative<std::string>(out))
    db_.run("UPDATE keys SET expires = ? WHERE id = ?", x.expires, x.id);
  return out;
}

change_result engine::on(const touch_keys& x) {
  for (const auto& [id, at] : x.used)
    db_.run("UPDATE keys SET last_used = ?1 WHERE id = ?2 AND last_used < ?1", at, id);
  return {};
}

query_result engine::on(const list_accounts&) {
  stored_accounts out;
  {
    auto rows = db_.query("SELECT id, settings FROM tenants ORDER BY id");
    while (rows.next())
      out.tenants.push_back({std::string{rows.bytes(0)}, std::string{rows.bytes(1)}});
  }
  auto rows = db_.query("SELECT id, tenant, digest, label, hint, created, expires, disabled, "
                        "last_used, limits FROM keys ORDER BY id");
  while (rows.next()) {
    auto& key = out.keys.emplace_back();
    key.id = rows.bytes(0);
    key.tenant = rows.bytes(1);
    key.digest = read_key_digest(rows.bytes(2));
    key.label = rows.bytes(3);
    key.hint = rows.bytes(4);
    key.created = rows.integer(5);
    key.expires = rows.integer(6);
    key.disabled = rows.integer(7) != 0;
    key.last_used = rows.integer(8);
    key.limits = rows.bytes(9);
  }
  return out;
}

query_result engine::on(const list_audit& x) {
  constexpr sql all = "SELECT number, at, who, action, object, detail, tenant FROM audit "
                      "WHERE number < ?1 AND (?2 IS NULL OR object = ?2) "
                      "AND (?3 IS NULL OR tenant = ?3) ORDER BY number DESC LIMIT ?4";
  constexpr sql of_object = "SELECT number, at, who, action, object, detail, tenant FROM audit "
                            "INDEXED BY audit_of_object WHERE number < ?1 AND object = ?2 "
                            "AND (?3 IS NULL OR tenant = ?3) ORDER BY number DESC LIMIT ?4";
  constexpr sql of_tenant = "SELECT number, at, who, action, object, detail, tenant FROM audit "
                            "INDEXED BY audit_of_tenant WHERE number < ?1 "
                            "AND (?2 IS NULL OR object = ?2) AND tenant = ?3 "
                            "ORDER BY number DESC LIMIT ?4";
  const auto border = x.after == 0 ? std::numeric_limits<std::int64_t>::max() : number_of(x.after);
  auto rows = db_.query(x.object   ? of_object
                        : x.tenant ? of_tenant
                                   : all,
                        border, optional_text{x.object}, optional_text{x.tenant},
                        static_cast<std::int64_t>(x.limit) + 1);
  page<audit_entry> out;
  while (rows.next() && !out.has_more) {
    out.has_more = out.data.size() == x.limit;
    if (!out.has_more)
      out.data.push_back({rows.natural(0), rows.integer(1), std::string{rows.bytes(2)},
                          std::string{rows.bytes(3)}, std::string{rows.bytes(4)},
                          std::string{rows.bytes(5)}, std::string{rows.bytes(6)}});
  }
  return out;
}

// -- usage ----------------------------------------------------------------------------------------

change_result engine::on(const add_usage& x) {
  for (const auto& row : x.rows)
    add_to_usage(row);
  must_count_ = true;
  return {};
}

/// Each row that the transactions add to is written once. Sums stop at the ends of their range, as
/// `usage_counts` does: SQLite would make a float of them, which the table refuses.
void engine::write_usage() {
  for (const auto& [key, counts] : usage_)
    db_.run(
        "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "requests = min(requests, 9223372036854775807 - excluded.requests) + excluded.requests, "
        "estimated = min(estimated, 9223372036854775807 - excluded.estimated) "
        "+ excluded.estimated, "
        "cancelled = min(cancelled, 9223372036854775807 - excluded.cancelled) "
        "+ excluded.cancelled, "
        "failed = min(failed, 9223372036854775807 - excluded.failed) + excluded.failed, "
        "prompt_tokens = min(prompt_tokens, 9223372036854775807 - excluded.prompt_tokens) "
        "+ excluded.prompt_tokens, "
        "completion_tokens = "
        "min(completion_tokens, 9223372036854775807 - excluded.completion_tokens) "
        "+ excluded.completion_tokens, "
        "cost = CASE WHEN excluded.cost > 0 "
        "THEN min(cost, 9223372036854775807 - excluded.cost) + excluded.cost "
        "ELSE max(cost, (-9223372036854775807 - 1) - excluded.cost) + excluded.cost END",
        std::int64_t{key.day}, key.tenant, key.key, key.model, number_of(counts.requests),
        number_of(counts.estimated), number_of(counts.cancelled), number_of(counts.failed),
        number_of(counts.prompt_tokens), number_of(counts.completion_tokens), counts.cost);
}

/// Day by day, so that what other tenants have on a day is passed by.
query_result engine::on(const read_usage& x) {
  count_turns();
  page<usage_row> out;
  const auto first = x.after ? std::max(x.first_day, x.after->day) : x.first_day;
  for (auto day = next_day(first, x.last_day); day && !out.has_more;
       day = next_day(std::int64_t{*day} + 1, x.last_day))
    read_usage_of(*day, x, out);
  return out;
}

/// The first day from `first` on that has usage.
std::optional<std::int32_t> engine::next_day(std::int64_t first, std::int64_t last) {
  auto rows = db_.query("SELECT day FROM usage WHERE day BETWEEN ? AND ? ORDER BY day LIMIT 1",
                        first, last);
  if (!rows.next())
    return std::nullopt;
  return static_cast<std::int32_t>(rows.integer(0));
}

void engine::read_usage_of(std::int32_t day, const read_usage& x, page<usage_row>& out) {
  usage_key from{.tenant = x.tenant.value_or(""), .day = day};
  if (x.after && from < *x.after)
    from = *x.after;
  if (from.day != day || (x.tenant && from.tenant != *x.tenant))
    return;
  constexpr sql all =
      "SELECT day, tenant, key, model, requests, estimated, cancelled, failed, prompt_tokens, "
      "completion_tokens, cost FROM usage WHERE day = ?1 AND (tenant, key, model) >= (?2, ?3, ?4) "
      "AND (?5 IS NULL OR key = ?5) AND (?6 IS NULL OR model = ?6) ORDER BY tenant, key, model "
      "LIMIT ?7";
  constexpr sql of_tenant =
      "SELECT day, tenant, key, model, requests, estimated, cancelled, failed, prompt_tokens, "
      "completion_tokens, cost FROM usage WHERE day = ?1 AND tenant = ?2 AND (key, model) >= "
      "(?3, ?4) AND (?5 IS NULL OR key = ?5) AND (?6 IS NULL OR model = ?6) ORDER BY key, model "
      "LIMIT ?7";
  // The row where the last page ended may be among them, and one tells that there are more.
  auto rows = db_.query(x.tenant ? of_tenant : all, std::int64_t{day}, from.tenant, from.key,
                        from.model, optional_text{x.key}, optional_text{x.model},
                        static_cast<std::int64_t>(x.limit - out.data.size()) + 2);
  while (rows.next() && !out.has_more) {
    auto row = read_usage_row(rows);
    if (x.after && row.key == *x.after)
      continue;
    out.has_more = out.data.size() == x.limit;
    if (!out.has_more)
      out.data.push_back(std::move(row));
  }
}

} // namespace lang_agent::store::sqlite
