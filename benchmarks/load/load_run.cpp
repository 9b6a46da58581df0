#include "benchmarks/load/load_run.hpp"

#include "benchmarks/load/connection_pool.hpp"
#include "benchmarks/load/recorder.hpp"
#include "benchmarks/load/session_source.hpp"

#include <algorithm>

namespace lang_agent::load {

namespace {

/// Users whose server cannot be reached try again after it, and not in a tight loop.
constexpr std::chrono::milliseconds reconnect_pause{100};
constexpr std::chrono::milliseconds look_around{50};
constexpr std::int64_t most_intervals = 600;

std::vector<int> server_processes(const load_plan& plan, const place& where) {
  if (!plan.server_pids.empty())
    return with_children(plan.server_pids);
  if (!where.is_here)
    return {};
  return with_children(listeners_of(where.endpoint.port()));
}

time_point::duration to_duration(double milliseconds) {
  return std::chrono::duration_cast<time_point::duration>(
      std::chrono::duration<double, std::milli>{milliseconds});
}

std::chrono::seconds interval_of(const load_plan& plan) {
  const auto whole = plan.duration.value_or(std::chrono::milliseconds{0});
  return std::max(std::chrono::seconds{1},
                  std::chrono::ceil<std::chrono::seconds>(whole / most_intervals));
}

class load_run final : public connection_pool::user {
public:
  load_run(const load_plan& plan, const target& to, const place& where, const run_options& options)
      : plan_(plan),
        options_(options),
        tls_(to.where.tls ? make_tls_context(!plan.insecure, plan.ca_file) : nullptr),
        recorder_(plan, server_processes(plan, where)),
        appointments_(io_),
        pool_(io_, appointments_, plan, where, tls_.get(), plan.insecure ? "" : to.where.host,
              *this),
        writer_(plan, to.where, new_run_name()),
        sessions_(plan, writer_),
        interval_(interval_of(plan)) {}

  run_result run();

private:
  // Schedule.
  void start_closed_loop();
  void arrive();
  void replay(std::size_t entry);
  void become_ready_at(time_point when, const std::shared_ptr<session>& of);

  // Turns.
  void begin_turn(const std::shared_ptr<session>& of, time_point scheduled);
  void begin_traced_turn(const std::shared_ptr<session>& of, const trace_entry& x);
  void submit(const std::shared_ptr<session>& of, turn asked, time_point scheduled);
  void go_on(const std::shared_ptr<session>& of, bool answered, time_point ended,
             time_point::duration pause);

  // Time.
  bool is_measured(time_point scheduled) const;
  void open_window();
  void close_window();
  void end_interval();
  void stop();
  void look();
  void show();
  void check_end();

  // What the pool says.
  std::string on_sending(exchange& x) override;
  void on_sent(const exchange& x) override;
  void on_content(const exchange& x, std::uint32_t chunks, time_point now) override;
  void on_over(std::unique_ptr<exchange> x, ending how, const std::string& error,
               time_point now) override;

  time_point after(std::chrono::duration<double> x) const {
    return start_ + std::chrono::duration_cast<time_point::duration>(x);
  }

  const load_plan& plan_;
  const run_options& options_;
  tls_context tls_;
  recorder recorder_;
  asio::io_context io_{1};
  agenda appointments_;
  connection_pool pool_;
  request_writer writer_;
  session_source sessions_;
  std::chrono::seconds interval_;

  std::optional<arrivals> arrivals_; ///< of an open loop: starts of conversations
  time_point start_ = {};
  time_point measure_from_ = {};
  time_point measure_to_ = time_point::max();
  time_point interval_began_ = {};
  time_point shown_ = {};
  std::uint64_t in_flight_ = 0;
  bool stopped_ = false; ///< nothing new is asked
};

run_result load_run::run() {
  start_ = clock::now();
  measure_from_ = start_ + plan_.ramp + plan_.warmup;
  if (plan_.duration) {
    measure_to_ = measure_from_ + *plan_.duration;
    appointments_.at(measure_to_, [this] {
      close_window();
      stop();
    });
  }
  appointments_.at(measure_from_, [this] { open_window(); });
  appointments_.at(start_ + look_around, [this] { look(); });
  if (plan_.trace) {
    replay(0);
  } else if (plan_.concurrency) {
    start_closed_loop();
  } else {
    const std::chrono::duration<double> ramp = plan_.ramp;
    arrivals_.emplace(plan_.arrival, *plan_.rate / static_cast<double>(plan_.turns), ramp.count(),
                      simulator::scatter(plan_.seed, 1, 1));
    arrive();
  }
  io_.run();
  close_window();
  return std::move(recorder_.result());
}

// -- schedule -------------------------------------------------------------------------------------

void load_run::start_closed_loop() {
  const auto users = *plan_.concurrency;
  for (std::size_t i = 0; i < users; ++i)
    become_ready_at(
        start_ + plan_.ramp * static_cast<std::int64_t>(i) / static_cast<std::int64_t>(users),
        sessions_.next());
}

/// Makes the appointment with the next conversation.
void load_run::arrive() {
  const auto due = after(std::chrono::duration<double>{arrivals_->next()});
  if (due >= measure_to_)
    return;
  appointments_.at(due, [this, due] {
    if (stopped_)
      return;
    recorder_.on_late(clock::now() - due);
    begin_turn(sessions_.next(), due);
    arrive();
  });
}

void load_run::replay(std::size_t entry) {
  if (entry == plan_.trace->size()) {
    stop();
    return;
  }
  const auto& x = (*plan_.trace)[entry];
  const auto due = measure_from_ + to_duration(1000 * x.at);
  appointments_.at(due, [this, entry, due, &x] {
    if (stopped_)
      return;
    recorder_.on_late(clock::now() - due);
    const auto of = sessions_.of(x);
    if (of->busy)
      of->waiting.push_back(&x);
    else
      begin_traced_turn(of, x);
    replay(entry + 1);
  });
}

/// A user will want to ask then.
void load_run::become_ready_at(time_point when, const std::shared_ptr<session>& of) {
  appointments_.at(when, [this, when, of] {
    if (stopped_)
      return;
    recorder_.on_late(clock::now() - when);
    begin_turn(of, when);
  });
}

// -- turns ----------------------------------------------------------------------------------------

void load_run::begin_turn(const std::shared_ptr<session>& of, time_point scheduled) {
  submit(of, sessions_.next_turn(*of), scheduled);
}

void load_run::begin_traced_turn(const std::shared_ptr<session>& of, const trace_entry& x) {
  of->busy = true;
  submit(of, sessions_.next_turn(*of, x), measure_from_ + to_duration(1000 * x.at));
}

void load_run::submit(const std::shared_ptr<session>& of, turn asked, time_point scheduled) {
  expectation wanted;
  wanted.stream = asked.stream;
  wanted.own_marker = plan_.expect_echo;
  wanted.keep_text = plan_.history == history_kind::client && (plan_.turns > 1 || plan_.trace);
  wanted.asked = {writer_.run(), of->number, of->turns};
  auto x = std::make_unique<exchange>(of, std::move(asked), wanted);
  x->scheduled = scheduled;
  x->measured = is_measured(scheduled);
  if (of->random.next() < plan_.slow_share)
    x->reader_rate = plan_.slow_rate;
  if (of->random.next() < plan_.abandon_share)
    x->leaves_after = to_duration(plan_.abandon_after.sample(of->random));
  recorder_.on_scheduled(*x);
  ++in_flight_;
  pool_.submit(std::move(x));
  if (plan_.requests && recorder_.result().requests.scheduled >= *plan_.requests)
    stop();
}

/// A turn has ended; what its user does next.
void load_run::go_on(const std::shared_ptr<session>& of, bool answered, time_point ended,
                     time_point::duration pause) {
  if (plan_.trace) {
    of->busy = false;
    if (of->waiting.empty() || (stopped_ && clock::now() >= measure_to_))
      return;
    const auto* next = of->waiting.front();
    of->waiting.pop_front();
    begin_traced_turn(of, *next);
    return;
  }
  const bool more_turns = answered && of->turns < plan_.turns;
  if (stopped_ || (!more_turns && !plan_.concurrency))
    return;
  const auto wait = std::max(pause, to_duration(plan_.think_time.sample(of->random)));
  const auto next = more_turns ? of : sessions_.next();
  if (wait == wait.zero())
    begin_turn(next, ended);
  else
    become_ready_at(ended + wait, next);
}

// -- time -----------------------------------------------------------------------------------------

bool load_run::is_measured(time_point scheduled) const {
  return scheduled >= measure_from_ && scheduled < measure_to_
         && (!plan_.requests || recorder_.result().requests.scheduled < *plan_.requests);
}

void load_run::open_window() {
  interval_began_ = clock::now();
  recorder_.open(interval_began_);
  recorder_.result().interval_seconds = static_cast<double>(interval_.count());
  appointments_.at(measure_from_ + interval_, [this] { end_interval(); });
}

void load_run::close_window() {
  if (!recorder_.is_open())
    return;
  const auto now = clock::now();
  recorder_.close(now);
  // Less than half an interval would look like a collapse.
  if (now - interval_began_ >= interval_ / 2 || recorder_.result().timeline.empty())
    recorder_.end_interval(in_flight_);
}

void load_run::end_interval() {
  if (!recorder_.is_open())
    return;
  recorder_.end_interval(in_flight_);
  interval_began_ += interval_;
  appointments_.at(interval_began_ + interval_, [this] { end_interval(); });
}

void load_run::stop() {
  if (stopped_)
    return;
  stopped_ = true;
  appointments_.at(clock::now() + plan_.drain, [this] { io_.stop(); });
  check_end();
}

/// Ctrl-C, and the picture.
void load_run::look() {
  if (options_.is_interrupted && options_.is_interrupted()) {
    recorder_.result().interrupted = true;
    close_window();
    io_.stop();
    return;
  }
  const auto now = clock::now();
  if (options_.show && now - shown_ >= options_.show_every) {
    shown_ = now;
    show();
  }
  appointments_.at(now + look_around, [this] { look(); });
}

void load_run::show() {
  const auto now = clock::now();
  const auto seconds = [](time_point::duration x) {
    return std::chrono::duration<double>{x}.count();
  };
  const auto& so_far = recorder_.result();
  snapshot out;
  out.phase = stopped_                    ? "drain"
              : now < start_ + plan_.ramp ? "ramp"
              : now < measure_from_       ? "warm-up"
                                          : "measuring";
  out.seconds = seconds(now - start_);
  if (plan_.duration)
    out.progress = out.seconds / seconds(measure_to_ - start_);
  if (plan_.requests) {
    const auto ended = so_far.requests.scheduled - so_far.requests.unfinished();
    out.progress =
        std::max(out.progress, static_cast<double>(ended) / static_cast<double>(*plan_.requests));
  }
  if (plan_.trace)
    out.progress = std::max(out.progress, out.seconds / (plan_.trace->back().at + 1e-3));
  out.progress = std::min(out.progress, 1.0);
  out.in_flight = in_flight_;
  out.connections = pool_.connections();
  out.waiting = pool_.waiting();
  out.requests = so_far.requests;
  out.errors = so_far.errors;
  if (const auto* last = recorder_.last_interval())
    out.last = *last;
  options_.show(out);
}

void load_run::check_end() {
  if (!stopped_ || recorder_.unfinished() > 0)
    return;
  if (sessions_.is_any_busy()) // turns of a trace may wait for others of their thread
    return;
  close_window();
  io_.stop();
}

// -- what the pool says ---------------------------------------------------------------------------

std::string load_run::on_sending(exchange& x) {
  return writer_.request(*x.from, x.asked);
}

void load_run::on_sent(const exchange& x) {
  recorder_.on_sent(x);
}

void load_run::on_content(const exchange& x, std::uint32_t chunks, time_point now) {
  recorder_.on_content(x, chunks, now);
}

void load_run::on_over(std::unique_ptr<exchange> x, ending how, const std::string& error,
                       time_point now) {
  --in_flight_;
  recorder_.result().names_threads |= x->reply.head().names_thread;
  if (how == ending::completed)
    recorder_.on_completed(*x, now);
  else if (how == ending::abandoned)
    recorder_.on_abandoned(*x);
  else
    recorder_.on_failed(*x, error);
  const bool answered = how == ending::completed;
  if (answered && !x->reply.text().empty())
    request_writer::remember(*x->from, x->asked, x->reply.text());
  const auto of = std::move(x->from);
  x.reset();
  go_on(of, answered, now, how == ending::not_connected ? reconnect_pause : time_point::duration{});
  check_end();
}

} // namespace

run_result run_load(const load_plan& plan, const target& to, const place& where,
                    const run_options& options) {
  return std::make_unique<load_run>(plan, to, where, options)->run();
}

} // namespace lang_agent::load
