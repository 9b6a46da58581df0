#include "benchmarks/load/connection_pool.hpp"

#include <algorithm>

namespace lang_agent::load {

namespace {

constexpr std::uint32_t most_sources = 16;
/// After a moment in which nobody answered, thousands would be opened for a moment's need, and a
/// listener's backlog is short. Who waits for one waits in line.
constexpr std::size_t most_opening = 128;
constexpr int slow_receive_buffer = 4096; // else the kernel would read on for a slow client

} // namespace

connection_pool::connection_pool(asio::io_context& io, agenda& appointments, const load_plan& plan,
                                 const place& where, SSL_CTX* tls, const std::string& host,
                                 user& owner)
    : appointments_(appointments),
      plan_(plan),
      where_(where),
      owner_(owner),
      shared_{io, appointments, reader_, *this, buffer_, tls, host} {}

connection_pool::~connection_pool() {
  for (auto& [link, x] : connections_)
    link->close();
}

void connection_pool::submit(std::unique_ptr<exchange> x) {
  if (x->reader_rate > 0 && connections_.size() < plan_.max_connections) {
    open_one(std::move(x));
    return;
  }
  waiting_.push_back(std::move(x));
  if (!idle_.empty()) {
    auto* link = idle_.back();
    idle_.pop_back();
    use(*link);
    return;
  }
  open_for_waiting();
}

void connection_pool::open_for_waiting() {
  while (opening_ < std::min(waiting_.size(), most_opening)
         && connections_.size() < plan_.max_connections)
    open_one(nullptr);
}

void connection_pool::open_one(std::unique_ptr<exchange> reserved) {
  const auto link = std::make_shared<connection>(shared_);
  if (!reserved)
    ++opening_;
  const auto receive_buffer = reserved ? slow_receive_buffer : 0;
  connections_[link.get()] = {link, std::move(reserved), source_};
  link->open(where_.endpoint, source(), receive_buffer);
  appointments_.at(clock::now() + plan_.connect_timeout, [this, weak = std::weak_ptr{link}] {
    const auto late = weak.lock();
    if (!late || !late->is_opening())
      return;
    late->close();
    on_not_open(*late, {"connect_timeout", "no connection in time"});
  });
}

/// Gives an idle connection what has waited longest.
void connection_pool::use(connection& x) {
  if (waiting_.empty()) {
    idle_.push_back(&x);
    return;
  }
  auto next = std::move(waiting_.front());
  waiting_.pop_front();
  send(x, std::move(next));
}

void connection_pool::send(connection& by, std::unique_ptr<exchange> x) {
  auto request = owner_.on_sending(*x);
  if (x->leaves_after)
    appointments_.at(clock::now() + *x->leaves_after,
                     [this, weak = by.weak_from_this(), session = x->from->number,
                      turn = x->number] { leave(weak, session, turn); });
  by.send(std::move(request), std::move(x));
  if (by.work())
    owner_.on_sent(*by.work());
  watch_deadline(by);
}

// -- ends -------------------------------------------------------------------------------------

/// One appointment for each connection, however many exchanges it carries.
void connection_pool::watch_deadline(connection& x) {
  auto& entry = connections_.at(&x);
  if (entry.has_deadline || !x.work())
    return;
  entry.has_deadline = true;
  appointments_.at(x.work()->sent + plan_.timeout,
                   [this, weak = x.weak_from_this()] { check_deadline(weak); });
}

void connection_pool::check_deadline(const std::weak_ptr<connection>& x) {
  const auto link = x.lock();
  const auto found = link ? connections_.find(link.get()) : connections_.end();
  if (found == connections_.end())
    return;
  found->second.has_deadline = false;
  if (link->work() && link->work()->sent + plan_.timeout <= clock::now())
    drop(*link, ending::failed, "timeout");
  else
    watch_deadline(*link);
}

void connection_pool::leave(const std::weak_ptr<connection>& by, std::uint64_t session,
                            std::uint64_t turn) {
  const auto link = by.lock();
  const auto* work = link ? link->work() : nullptr;
  if (work && work->from->number == session && work->number == turn)
    drop(*link, ending::abandoned, {});
}

void connection_pool::drop(connection& x, ending how, const std::string& error) {
  const auto keep = x.shared_from_this();
  auto work = x.close();
  remove(x);
  owner_.on_over(std::move(work), how, error, clock::now());
  open_for_waiting();
}

/// Returns what was known of it; an empty slot when that was nothing.
connection_pool::slot connection_pool::remove(connection& x) {
  auto node = connections_.extract(&x);
  return node.empty() ? slot{} : std::move(node.mapped());
}

// -- source addresses -------------------------------------------------------------------------

/// 127.0.0.2 and so on have ports of their own. False: there is nothing more to try.
bool connection_pool::try_next_source(std::uint32_t failed) {
  if (failed < source_) // others have found out before
    return true;
  if (!where_.endpoint.address().is_v4() || !where_.endpoint.address().is_loopback()
      || source_ + 1 >= most_sources)
    return false;
  ++source_;
  return true;
}

std::optional<asio::ip::address> connection_pool::source() const {
  if (source_ == 0)
    return std::nullopt;
  return asio::ip::address_v4{asio::ip::address_v4::loopback().to_uint() + source_};
}

// -- what connections say ---------------------------------------------------------------------

void connection_pool::on_open(connection& from) {
  auto& reserved = connections_.at(&from).reserved;
  if (reserved) {
    send(from, std::move(reserved));
    return;
  }
  --opening_;
  use(from);
  open_for_waiting();
}

void connection_pool::on_not_open(connection& from, const connect_problem& why) {
  const auto keep = from.shared_from_this();
  auto known = remove(from);
  auto victim = std::move(known.reserved);
  const bool was_for_waiting = !victim;
  if (was_for_waiting)
    --opening_;
  if (why.no_port_left && try_next_source(known.source)) {
    if (victim)
      open_one(std::move(victim));
    else
      open_for_waiting();
    return;
  }
  // Another one may have taken what this one was opened for.
  if (was_for_waiting && waiting_.size() > opening_) {
    victim = std::move(waiting_.front());
    waiting_.pop_front();
  }
  if (victim)
    owner_.on_over(std::move(victim), ending::not_connected, why.kind, clock::now());
  open_for_waiting();
}

void connection_pool::on_content(exchange& about, std::uint32_t chunks, time_point now) {
  owner_.on_content(about, chunks, now);
  if (about.first == time_point{})
    about.first = now;
  about.last = now;
}

void connection_pool::on_end(connection& from, std::unique_ptr<exchange> ended, bool whole,
                             time_point now) {
  const auto error = ended->reply.finish(whole, reader_);
  if (from.is_open())
    use(from);
  else
    remove(from);
  owner_.on_over(std::move(ended), error.empty() ? ending::completed : ending::failed, error, now);
  open_for_waiting();
}

void connection_pool::on_closed(connection& from) {
  const auto i = std::find(idle_.begin(), idle_.end(), &from);
  if (i != idle_.end())
    idle_.erase(i);
  remove(from);
}

} // namespace lang_agent::load
