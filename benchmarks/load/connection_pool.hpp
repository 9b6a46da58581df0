/// Carries exchanges over as many connections as are needed, and as few.
#pragma once

#include "benchmarks/load/connection.hpp"
#include "benchmarks/load/load_plan.hpp"
#include "benchmarks/load/place.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace lang_agent::load {

/// How an exchange ended.
enum class ending : std::uint8_t {
  completed,
  failed,
  not_connected, ///< it could not even be sent
  abandoned      ///< its client left
};

class connection_pool final : private connection_owner {
public:
  /// Hears of exchanges.
  class user {
  public:
    /// The connection that will carry it is there: gives the bytes of its request.
    virtual std::string on_sending(exchange& x) = 0;
    virtual void on_sent(const exchange& x) = 0;
    /// Before `x.last` becomes `now`.
    virtual void on_content(const exchange& x, std::uint32_t chunks, time_point now) = 0;
    /// `error`: its kind.
    virtual void on_over(std::unique_ptr<exchange> x, ending how, const std::string& error,
                         time_point now) = 0;

  protected:
    ~user() = default;
  };

  /// `tls` null: none. All references must outlive this.
  connection_pool(asio::io_context& io, agenda& appointments, const load_plan& plan,
                  const place& where, SSL_CTX* tls, const std::string& host, user& owner);
  ~connection_pool();

  void submit(std::unique_ptr<exchange> x);

  std::size_t connections() const {
    return connections_.size();
  }

  /// Exchanges that wait for a connection.
  std::size_t waiting() const {
    return waiting_.size();
  }

private:
  struct slot {
    std::shared_ptr<connection> link;
    std::unique_ptr<exchange> reserved = {}; ///< what it was opened for, if only for that
    std::uint32_t source = 0;                ///< where it comes from, see `source_`
    bool has_deadline = false;               ///< an appointment looks after it
  };

  void open_one(std::unique_ptr<exchange> reserved);
  void open_for_waiting();
  void use(connection& x);
  void send(connection& by, std::unique_ptr<exchange> x);
  void watch_deadline(connection& x);
  void check_deadline(const std::weak_ptr<connection>& x);
  void leave(const std::weak_ptr<connection>& by, std::uint64_t session, std::uint64_t turn);
  void drop(connection& x, ending how, const std::string& error);
  slot remove(connection& x);
  bool try_next_source(std::uint32_t failed);
  std::optional<asio::ip::address> source() const;

  void on_open(connection& from) override;
  void on_not_open(connection& from, const connect_problem& why) override;
  void on_content(exchange& about, std::uint32_t chunks, time_point now) override;
  void on_end(connection& from, std::unique_ptr<exchange> ended, bool whole,
              time_point now) override;
  void on_closed(connection& from) override;

  agenda& appointments_;
  const load_plan& plan_;
  const place& where_;
  user& owner_;
  chunk_reader reader_;
  std::array<char, 256 * 1024> buffer_;
  connection_context shared_;
  std::unordered_map<connection*, slot> connections_;
  std::vector<connection*> idle_; ///< the last used one is the next
  std::deque<std::unique_ptr<exchange>> waiting_;
  std::size_t opening_ = 0; ///< for whatever waits
  std::uint32_t source_ =
      0; ///< which loopback address connections come from; 0: the system's choice
};

} // namespace lang_agent::load
