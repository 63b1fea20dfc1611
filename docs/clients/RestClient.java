// Scores images by a server of TensorFlow Serving's REST protocol. It needs nothing but a JDK 17.
//
//   java RestClient.java http://127.0.0.1:8501 pneumonia a.png b.jpg
//
// Prints for each image: probability, label, file. CASEGATE_TOKEN holds the token, where one is
// needed. For https the server's certificate has to be one that this JDK trusts.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class RestClient {
  public static void main(String[] arguments) throws Exception {
    List<String> images = new ArrayList<>();
    for (int i = 2; i < arguments.length; i++) {
      byte[] content = Files.readAllBytes(Path.of(arguments[i]));
      images.add("{\"b64\":\"" + Base64.getEncoder().encodeToString(content) + "\"}");
    }
    // In columns, so that each output comes as one list. In rows it is {"instances": [...]}.
    String body = "{\"inputs\":{\"image\":[" + String.join(",", images) + "]}}";
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(arguments[0] + "/v1/models/" + arguments[1] + ":predict"))
            .timeout(Duration.ofSeconds(30))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body));
    if (System.getenv("CASEGATE_TOKEN") != null) {
      request.header("Authorization", "Bearer " + System.getenv("CASEGATE_TOKEN"));
    }
    HttpResponse<String> answer =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .build()
            .send(request.build(), HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() != 200) {
      System.err.println(answer.statusCode() + " " + answer.body()); // {"error": "..."}
      System.exit(1);
    }
    String[] probabilities = values(answer.body(), "probability");
    String[] labels = values(answer.body(), "label");
    if (probabilities.length != images.size() || labels.length != images.size()) {
      throw new IllegalStateException("not one answer for each image: " + answer.body());
    }
    for (int i = 0; i < images.size(); i++) {
      float probability = Float.parseFloat(probabilities[i]);
      System.out.println(probability + " " + labels[i] + " " + arguments[i + 2]);
    }
  }

  // Lists of numbers are all that is needed; a program that does more takes a library for JSON.
  private static String[] values(String json, String name) {
    Matcher found = Pattern.compile("\"" + name + "\"\\s*:\\s*\\[([^\\]]*)\\]").matcher(json);
    if (!found.find()) {
      throw new IllegalStateException("no " + name + " in the answer: " + json);
    }
    return found.group(1).trim().split("\\s*,\\s*");
  }
}
