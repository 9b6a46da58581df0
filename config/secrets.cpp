#include "config/secrets.hpp"

#include "config/loader.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace lang_agent {

namespace {

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos)
    return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

} // namespace

std::string environment_secret(const std::string& variable, const std::string& wanted_by) {
  const char* value = std::getenv(variable.c_str());
  if (!value || !*value)
    throw config_error{wanted_by + " names the environment variable " + variable
                       + ", which is not set; export " + variable
                       + "=... before starting the server"};
  return trimmed(value);
}

std::vector<std::string> environment_secrets(const std::string& variable,
                                             const std::string& wanted_by) {
  std::vector<std::string> result;
  std::istringstream list{environment_secret(variable, wanted_by)};
  for (std::string secret; std::getline(list, secret, ',');)
    result.push_back(trimmed(secret));
  return result;
}

std::vector<std::string> file_secrets(const std::string& path, const std::string& wanted_by) {
  std::ifstream in{path};
  if (!in)
    throw config_error{wanted_by + " names the file " + path + ", which cannot be read"};
  std::vector<std::string> result;
  for (std::string line; std::getline(in, line);) {
    if (auto secret = trimmed(line); !secret.empty())
      result.push_back(std::move(secret));
  }
  if (result.empty())
    throw config_error{wanted_by + " names the file " + path + ", which is empty"};
  return result;
}

} // namespace lang_agent
