/// The SQLite engine's class. Private to store/: others see `open_sqlite_store`.
#pragma once

#include "store/sqlite.hpp"
#include "store/sqlite_store.hpp"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace lang_agent::store::sqlite {

/// Message ids are a thread's id and the message's number in one integer, see the schema.
inline constexpr int number_bits = 24;
inline constexpr std::int64_t max_number = (std::int64_t{1} << number_bits) - 1;

inline std::int64_t first_id(std::int64_t thread) {
  return thread << number_bits;
}

inline std::int64_t last_id(std::int64_t thread) {
  return first_id(thread) + max_number;
}

class engine final : public thread_store {
public:
  engine(const std::filesystem::path& file, durability durable);

  thread_record load(const thread_key& key, const context_limits& limits) override;
  replay_result find_replay(const replay_query& query) override;
  query_result ask(const store_query& query) override;
  std::vector<change_result> commit(std::span<const store_change> changes) override;
  bool sweep(unix_ms replays_before) override;

private:
  /// What changes of a thread need to know of its row.
  struct thread_row {
    std::int64_t id = 0;
    std::int64_t version = 0;
    std::int64_t updated = 0;
    std::int64_t turns = 0;
    std::int64_t messages = 0;
    std::int64_t tokens = 0;
    std::int64_t last_number = 0;
    std::int64_t last_replay = 0;
    std::int64_t bytes = 0; ///< see `tenant_totals`
  };

  struct cached_totals {
    tenant_totals now = {};
    bool uncounted = false; ///< the file's row is older
  };

  /// Whom a change of accounts was about.
  using tenant_or_refusal = std::variant<std::string, refusal>;

  /// Which of the three tables of messages; they have the same columns.
  enum class kind { live, superseded, instructions };

  struct found_replay {
    std::int64_t id;
    std::int64_t thread;
    bool same_request;
  };

  std::optional<thread_row> find_row(const thread_key& key);
  thread_row new_row(unix_ms at);
  void insert_row(const thread_key& key, const thread_row& row);
  void update_row(const thread_row& row);

  // Reads (sqlite_queries.cpp).
  message_list load_instructions(std::int64_t thread);
  message_list load_all(const thread_row& row);
  message_list load_newest(const thread_row& row, const context_limits& limits);
  std::optional<thread_info> read_info(const thread_key& key);
  std::optional<found_replay> find_key(const std::string& tenant, const std::string& key,
                                       digest request, unix_ms since);
  std::string find_request(const thread_row& row, digest request, unix_ms since);

  query_result on(const find_thread& x);
  query_result on(const list_threads& x);
  query_result on(const list_messages& x);
  query_result on(const read_thread& x);
  query_result on(const find_expired& x);

  // Changes (sqlite_changes.cpp).
  change_result on(const turn_record& x);
  change_result on(const delete_thread& x);
  change_result on(const fork_thread& x);
  change_result on(const change_metadata& x);
  change_result on(const import_messages& x);
  change_result on(const finish_import& x);
  change_result on(const discard_import& x);

  void supersede(thread_row& row, std::int64_t keep);
  void insert(kind table, std::int64_t id, const chat_message& x, unix_ms created);
  void drop_instructions(thread_row& row);
  void add_instructions(thread_row& row, const message_list& messages, unix_ms created);
  void keep_answer(thread_row& row, const turn_record& x, const tenant_totals& added);
  void move_to_trash(std::int64_t thread);

  std::uint64_t fork_bytes(const thread_row& row, std::int64_t last);

  // Accounts and usage (sqlite_accounts.cpp).
  change_result on(const admin_change& x);
  change_result on(const add_usage& x);
  change_result on(const touch_keys& x);
  tenant_or_refusal make(const put_tenant& x);
  tenant_or_refusal make(const remove_tenant& x);
  tenant_or_refusal make(const put_key& x);
  tenant_or_refusal make(const remove_key& x);
  tenant_or_refusal make(const rotate_key& x);

  query_result on(const list_accounts& x);
  query_result on(const list_audit& x);
  query_result on(const read_usage& x);
  std::optional<std::int32_t> next_day(std::int64_t first, std::int64_t last);
  void read_usage_of(std::int32_t day, const read_usage& x, page<usage_row>& out);

  void write_usage();

  // Sums (sqlite_sums.cpp).
  query_result on(const read_totals& x);
  cached_totals& totals_of(const std::string& tenant);
  void add_totals(const std::string& tenant, const tenant_totals& added);
  void add_to_usage(const usage_row& x);
  void write_sums_if_due();
  void write_totals();
  void keep_sums();
  void undo_sums();
  void count_turns();

  /// The one way to change the file: the work and the sums that go with it, all or nothing.
  template <class Work>
  void transact(Work work) {
    try {
      transaction all{db_};
      work();
      write_sums_if_due();
      all.commit();
    } catch (...) {
      undo_sums();
      throw;
    }
    keep_sums();
  }
  void find_uncounted_turns();

  // Clearing away (sqlite_sweep.cpp).
  bool sweep_replays(unix_ms before);
  bool sweep_trash();
  std::int64_t remove_replay(std::int64_t thread, std::int64_t newest);
  bool remove_message(std::int64_t thread);

  database db_;
  bool in_use_ = false;          ///< there were turns since the last sweep
  std::int64_t last_thread_ = 0; ///< the highest id of a thread, given to one or not
  std::int64_t last_replay_ = 0; ///< the highest id of an answer, never given to another one

  std::unordered_map<std::string, cached_totals> totals_; ///< by tenant; those that were needed
  std::vector<std::pair<std::string, cached_totals>> totals_before_; ///< undoes the transaction
  std::size_t uncounted_turns_ = 0;         ///< at most so many answers are not counted yet
  std::map<usage_key, usage_counts> usage_; ///< that the file's table lacks
  std::vector<std::pair<usage_key, usage_counts>> usage_before_; ///< undoes the transaction
  bool must_count_ = false; ///< this transaction writes all sums: it has what no answer tells
};

/// The message that a row holds, its columns beginning at `first` in the order of the schema.
message_ptr read_message(const cursor& row, int first);

std::string pack_metadata(const thread_metadata& x);
thread_metadata unpack_metadata(std::string_view packed);

std::string pack_usage(const usage_row& x);
/// Unset: it is damaged, which must not keep a server from starting.
std::optional<usage_row> unpack_usage(std::string_view packed);

/// A digest as a row holds it: the high half first, each half with its low byte first.
class digest_bytes {
public:
  explicit digest_bytes(const digest& x);

  std::string_view view() const {
    return {bytes_.data(), bytes_.size()};
  }

private:
  std::array<char, 16> bytes_;
};

} // namespace lang_agent::store::sqlite
