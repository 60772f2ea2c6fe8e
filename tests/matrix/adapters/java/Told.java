import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.concurrent.atomic.AtomicLong;

/** The words of the contract, and what the adapters in Java share. */
final class Told {
    static final int PORT = Integer.parseInt(of("PORT").isEmpty() ? "0" : of("PORT"));
    static final String USER = of("USER");
    static final String PASSWORD = of("PASSWORD");
    static final String AUTH = of("AUTH");
    static final String KEY = of("KEY");
    static final long REKEY = Long.parseLong(of("REKEY").isEmpty() ? "0" : of("REKEY"));

    /** Has new keys made, in those that do so when they are told to. Called each so many bytes that are copied. */
    static volatile Renewal renewal = () -> {};

    private static final AtomicLong SINCE = new AtomicLong();

    private Told() {}

    static String of(String name) {
        String value = System.getenv("PEER_" + name);
        return value == null ? "" : value;
    }

    static int cannot(String why) {
        System.err.println(why);
        return 254;
    }

    /** Copies until there is no more. */
    static void pump(InputStream from, OutputStream to) throws IOException {
        byte[] buffer = new byte[32768];
        int count;
        while ((count = from.read(buffer)) > 0) {
            to.write(buffer, 0, count);
            to.flush();
            if (REKEY > 0 && SINCE.addAndGet(count) >= REKEY) {
                SINCE.set(0);
                renewal.run();
            }
        }
    }

    /** How. */
    interface Renewal {
        void run() throws IOException;
    }

    /** The same on a thread that nobody waits for; closes what it writes to. */
    static void pumpAside(InputStream from, OutputStream to) {
        Thread thread = new Thread(() -> {
            try (to) {
                pump(from, to);
            } catch (IOException ended) {
                // The other side wants no more.
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    /** What an adapter does. */
    interface Work {
        int run(String[] words) throws Exception;
    }

    static void main(String[] words, String version, Work client, Work server) {
        int status;
        try {
            status = switch (words[0]) {
                case "version" -> {
                    System.out.println(version);
                    yield 0;
                }
                case "client" -> client.run(java.util.Arrays.copyOfRange(words, 1, words.length));
                default -> server.run(words);
            };
        } catch (Exception failure) {
            failure.printStackTrace();
            status = 255;
        }
        System.out.flush();
        Runtime.getRuntime().halt(status);
    }
}
