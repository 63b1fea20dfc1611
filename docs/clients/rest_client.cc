/* Scores images by a server of TensorFlow Serving's REST protocol. It needs nothing but C++17 and
   POSIX: for TLS and tokens, which it does not know, take libcurl.

    c++ -std=c++17 -O1 rest_client.cc -o rest_client
    ./rest_client 127.0.0.1 8501 pneumonia a.png b.jpg

   Prints for each image: probability, label, file. */

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

std::string Base64(const std::string& bytes) {
  static const char* kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? (unsigned char)bytes[i + k] : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

// The whole answer: with `Connection: close` it ends where the server closes.
std::string Ask(const char* host, const char* port, const std::string& request) {
  addrinfo wanted = {}, *found = nullptr;
  wanted.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host, port, &wanted, &found)) throw std::runtime_error("no such host");
  int server = socket(found->ai_family, found->ai_socktype, 0);
  timeval patience = {30, 0};
  setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(server, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  bool there = connect(server, found->ai_addr, found->ai_addrlen) == 0;
  freeaddrinfo(found);
  if (!there) throw std::runtime_error("no server there");
  for (size_t sent = 0; sent < request.size();) {
    ssize_t more = send(server, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (more <= 0) throw std::runtime_error("the server takes no more");
    sent += more;
  }
  std::string answer;
  char part[65536];
  ssize_t more;
  while ((more = recv(server, part, sizeof part, 0)) > 0) answer.append(part, more);
  if (more < 0) throw std::runtime_error("no answer in time");
  close(server);
  return answer;
}

// The list of numbers of this name: of more JSON than that let a library make sense.
std::vector<std::string> Values(const std::string& json, const std::string& name) {
  const size_t key = json.find("\"" + name + "\"");
  const size_t begin = json.find('[', key), end = json.find(']', begin);
  if (key == std::string::npos || begin == std::string::npos || end == std::string::npos) {
    throw std::runtime_error("no " + name + " in the answer: " + json);
  }
  std::string numbers = json.substr(begin + 1, end - begin - 1);
  std::replace(numbers.begin(), numbers.end(), ',', ' ');
  std::istringstream stream(numbers);
  return {std::istream_iterator<std::string>(stream), {}};
}

int main(int count, char** arguments) try {
  const std::vector<std::string> files(arguments + std::min(count, 4), arguments + count);
  if (files.empty()) throw std::invalid_argument("rest_client HOST PORT MODEL IMAGE...");
  std::string body = "{\"inputs\":{\"image\":[";
  for (const std::string& name : files) {
    std::ifstream file(name, std::ios::binary);
    if (!file) throw std::invalid_argument(name + ": cannot be read");
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    body += (&name == &files[0] ? "{\"b64\":\"" : ",{\"b64\":\"") + Base64(bytes) + "\"}";
  }
  body += "]}}";
  const std::string answer = Ask(
      arguments[1], arguments[2],
      "POST /v1/models/" + std::string(arguments[3]) + ":predict HTTP/1.1\r\nHost: " +
          arguments[1] + "\r\nConnection: close\r\nContent-Type: application/json\r\n" +
          "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  if (answer.compare(0, 12, "HTTP/1.1 200")) throw std::runtime_error(answer);
  const auto probability = Values(answer, "probability"), label = Values(answer, "label");
  if (probability.size() != files.size() || label.size() != files.size()) {
    throw std::runtime_error("not one answer for each image: " + answer);
  }
  for (size_t i = 0; i < files.size(); ++i) {
    std::cout << probability[i] << " " << label[i] << " " << files[i] << "\n";
  }
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
