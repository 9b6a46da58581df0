#include "http/answer_reader.hpp"

#include "http/upstream_codec.hpp"

#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>

#include <iterator>

namespace lang_agent::http {

namespace beast = boost::beast;

namespace {

/// Of an error's body, so much is kept.
constexpr std::size_t max_error_body = 64 * 1024;

constexpr std::size_t status_at = 9; ///< in "HTTP/1.1 200 OK"

/// Whether a head that is not complete is that of a final answer.
bool is_final_head(const beast::flat_buffer& input) {
  return input.size() > status_at && static_cast<const char*>(input.data().data())[status_at] > '1';
}

upstream_fault refused(failure why) {
  return {std::move(why), "refused by the codec"};
}

void move_into(std::vector<choice_delta>& out, std::vector<choice_delta>& from) {
  if (out.empty())
    out.swap(from);
  else
    out.insert(out.end(), std::make_move_iterator(from.begin()),
               std::make_move_iterator(from.end()));
  from.clear();
}

} // namespace

answer_reader::answer_reader(const expectation& expected, const redaction& secrets)
    : expected_(expected),
      secrets_(secrets),
      events_(expected.max_bytes),
      answer_(expected.max_bytes, expected.prompt_tokens, expected.choices, secrets) {
  start_parser();
}

void answer_reader::start_parser() {
  parser_.emplace([this](std::string_view piece) { on_body(piece); });
}

std::optional<upstream_fault> answer_reader::feed(beast::flat_buffer& input,
                                                  std::vector<choice_delta>& out) {
  while (input.size() > 0 && !parser_->is_done()) {
    beast::error_code ec;
    const auto used = parser_->put(input.data(), ec);
    input.consume(used);
    if (problem_)
      return refused(std::move(*problem_));
    if (ec == beast::http::error::need_more) {
      if (used == 0)
        break;
      continue;
    }
    if (ec)
      return upstream_fault{
          {error_kind::upstream_error, "The upstream model sent a broken HTTP answer."},
          ec.message()};
    if (parser_->is_done() && parser_->is_interim())
      start_parser();
  }
  begun_ = begun_ || parser_->status() >= 200 || is_final_head(input);
  move_into(out, deltas_);
  return std::nullopt;
}

void answer_reader::on_body(std::string_view piece) {
  if (problem_ || answer_.done())
    return;
  if (is_stream()) {
    if (!events_.feed(piece, [this](std::string_view data) { on_event(data); }))
      problem_ = failure{error_kind::upstream_answer_too_long,
                         "The upstream model sent an event that is too large."};
    return;
  }
  ++progress_;
  const bool good = parser_->status() == 200;
  if (whole_.size() + piece.size() <= (good ? expected_.max_bytes : max_error_body))
    whole_ += piece;
  else if (good)
    problem_ = failure{error_kind::upstream_answer_too_long,
                       "The upstream model's answer is longer than "
                           + std::to_string(expected_.max_bytes) + " bytes."};
}

void answer_reader::on_event(std::string_view data) {
  if (problem_ || answer_.done())
    return;
  const auto before = deltas_.size();
  problem_ = answer_.add(data, deltas_);
  progress_ += deltas_.size() - before;
}

answer_reader::outcome answer_reader::finish(std::vector<choice_delta>& out) {
  if (parser_->status() != 200)
    return upstream_fault{
        decode_upstream_error(parser_->status(), whole_, parser_->retry_after(), secrets_),
        parser_->status() == 407 ? "HTTP 407: the proxy wants other credentials"
                                 : "HTTP " + std::to_string(parser_->status())};
  if (is_stream())
    return finish_stream(out);
  if (!parser_->is_json())
    return upstream_fault{
        {error_kind::upstream_error, "The upstream model sent an answer that is no JSON."},
        "content-type " + parser_->content_type()};
  return finish_whole(out);
}

answer_reader::outcome answer_reader::finish_cut(const boost::system::error_code& ec,
                                                 std::vector<choice_delta>& out) {
  beast::error_code cut = ec;
  if (ec == boost::asio::error::eof && parser_->is_header_done()) {
    cut = {};
    parser_->put_eof(cut);
  }
  // What came of an error's body will do, and a stream that lacks only its end is complete.
  if (!cut || (parser_->is_header_done() && (parser_->status() != 200 || is_stream())))
    return finish(out);
  return broke_off(cut.message());
}

answer_reader::outcome answer_reader::finish_stream(std::vector<choice_delta>& out) {
  // An event that lacks its blank line still counts; one that was cut in the middle does not.
  events_.finish([this](std::string_view data) { on_event(data); });
  move_into(out, deltas_);
  if (answer_.complete())
    return answer_.finish();
  if (answer_.done())
    return upstream_fault{{error_kind::upstream_error, "The upstream model sent an empty answer."},
                          "no choices"};
  return broke_off("the stream ended without a finish reason");
}

answer_reader::outcome answer_reader::finish_whole(std::vector<choice_delta>& out) {
  if (!expected_.stream) {
    auto decoded = decode_answer(whole_, expected_.prompt_tokens, secrets_);
    if (auto* why = std::get_if<failure>(&decoded))
      return refused(std::move(*why));
    return std::move(std::get<answer>(decoded));
  }
  // An upstream that does not stream: its answer is one piece.
  if (auto why = answer_.add_whole(whole_, deltas_))
    return refused(std::move(*why));
  move_into(out, deltas_);
  return answer_.finish();
}

} // namespace lang_agent::http
