#include "actors/import_parser.hpp"

#include "http/ids.hpp"

#include <utility>

namespace lang_agent {

namespace {

/// Messages are handed to the store in pieces of about this size.
constexpr std::size_t piece_messages = 256;
constexpr std::size_t piece_bytes = 1024 * 1024;

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

} // namespace

void import_parser::feed(std::string_view piece, bool last) {
  unread_.erase(0, begin_);
  searched_ -= std::min(searched_, std::exchange(begin_, 0));
  unread_ += piece;
  is_last_ = last;
}

import_parser::step import_parser::next() {
  if (current_ && current_->finished && steps_.empty()) {
    current_.reset();
    ++threads_;
  }
  while (steps_.empty()) {
    const auto line = take_line();
    if ((line ? line->size() : unread_.size() - begin_) > max_line_)
      return failure{error_kind::request_too_large, "Line " + std::to_string(line_ + 1)
                                                        + " is longer than "
                                                        + std::to_string(max_line_) + " bytes."};
    if (!line)
      return is_last_ ? end() : need_input{};
    ++line_;
    if (!is_blank(*line))
      read_line(*line);
  }
  auto out = std::move(steps_.front());
  steps_.pop_front();
  return out;
}

/// The last line of a file may lack its line end.
std::optional<std::string_view> import_parser::take_line() {
  if (begin_ == unread_.size())
    return std::nullopt;
  auto end = unread_.find('\n', std::max(begin_, searched_));
  if (end == std::string::npos) {
    searched_ = unread_.size();
    if (!is_last_)
      return std::nullopt;
    end = unread_.size();
  }
  const std::string_view out{unread_.data() + begin_, end - begin_};
  begin_ = std::min(end + 1, unread_.size());
  return out;
}

void import_parser::read_line(std::string_view text) {
  auto decoded = http::decode_import_line(text, line_);
  std::visit([this](auto& x) { read(x); }, decoded);
}

void import_parser::read(thread_info& x) {
  if (current_)
    return fail("a thread begins before the one before it has ended.");
  current_.emplace();
  current_->import = http::random_id(24);
  current_->piece.import = current_->import;
  current_->info = std::move(x);
  // It is better to know now than after a long upload.
  steps_.emplace_back(find_thread{{tenant_, current_->info.id}});
}

void import_parser::read(stored_message& x) {
  if (!current_)
    return fail("a message comes before the line of its thread.");
  ++current_->messages;
  current_->bytes += x.message->json.size();
  current_->piece.messages.push_back(std::move(x));
  if (current_->piece.messages.size() >= piece_messages || current_->bytes >= piece_bytes)
    end_piece();
}

void import_parser::read(const http::import_end& x) {
  if (!current_ || x.id != current_->info.id)
    return fail("the end of a thread that has not begun.");
  if (x.messages != current_->messages)
    return fail("the thread should have " + std::to_string(x.messages) + " messages, but "
                + std::to_string(current_->messages) + " were there.");
  end_piece();
  current_->finished = true;
  steps_.emplace_back(finish_import{
      current_->import, {tenant_, current_->info.id}, current_->info, current_->messages});
}

void import_parser::read(failure& why) {
  steps_.emplace_back(std::move(why));
}

void import_parser::fail(const std::string& problem) {
  const auto where = "line " + std::to_string(line_);
  steps_.emplace_back(failure{error_kind::invalid_request, where + ": " + problem, where});
}

void import_parser::end_piece() {
  if (current_->piece.messages.empty())
    return;
  steps_.emplace_back(std::move(current_->piece));
  current_->piece = {current_->import, {}};
  current_->bytes = 0;
}

import_parser::step import_parser::end() const {
  if (current_)
    return failure{error_kind::invalid_request, "The file ends before the thread '"
                                                    + current_->info.id
                                                    + "' does: it is not complete."};
  if (threads_ == 0)
    return failure{error_kind::invalid_request,
                   "The file holds no thread. Send what an export gave."};
  return complete{};
}

std::optional<discard_import> import_parser::unfinished() const {
  if (!current_)
    return std::nullopt;
  return discard_import{current_->import};
}

} // namespace lang_agent
