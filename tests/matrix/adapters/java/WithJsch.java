import com.jcraft.jsch.Channel;
import com.jcraft.jsch.ChannelDirectTCPIP;
import com.jcraft.jsch.ChannelExec;
import com.jcraft.jsch.ChannelSftp;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.Session;
import com.jcraft.jsch.UIKeyboardInteractive;
import com.jcraft.jsch.UserInfo;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** JSch, client. */
public final class WithJsch {
    /** Answers with the password. */
    private static final class Answers implements UserInfo, UIKeyboardInteractive {
        public String getPassphrase() {
            return null;
        }

        public String getPassword() {
            return Told.PASSWORD;
        }

        public boolean promptPassword(String message) {
            return true;
        }

        public boolean promptPassphrase(String message) {
            return false;
        }

        public boolean promptYesNo(String message) {
            return true;
        }

        public void showMessage(String message) {}

        public String[] promptKeyboardInteractive(
                String to, String name, String text, String[] prompts, boolean[] echo) {
            String[] answers = new String[prompts.length];
            java.util.Arrays.fill(answers, Told.PASSWORD);
            return answers;
        }
    }

    private static int client(String[] words) throws Exception {
        JSch jsch = new JSch();
        if (Told.AUTH.equals("publickey")) {
            jsch.addIdentity(Told.KEY);
        }
        Session session = jsch.getSession(Told.USER, "127.0.0.1", Told.PORT);
        session.setConfig("StrictHostKeyChecking", "no");
        session.setConfig("PreferredAuthentications", Told.AUTH);
        for (String kind : new String[] {"cipher.c2s", "cipher.s2c"}) {
            session.setConfig(kind, session.getConfig(kind) + ",aes256-cbc,aes192-cbc,aes128-cbc,3des-cbc");
        }
        session.setConfig("CheckCiphers", "");
        session.setUserInfo(new Answers());
        session.connect(30000);
        Told.renewal = () -> {
            try {
                session.rekey();
            } catch (Exception failure) {
                throw new IOException(failure);
            }
        };
        int status = work(session, words);
        session.disconnect();
        return status;
    }

    private static int work(Session session, String[] words) throws Exception {
        switch (words[0]) {
            case "run": {
                ChannelExec channel = (ChannelExec) session.openChannel("exec");
                channel.setCommand(words[1]);
                carry(channel);
                while (!channel.isClosed()) {
                    Thread.sleep(5);
                }
                return channel.getExitStatus();
            }
            case "forward": {
                ChannelDirectTCPIP channel = (ChannelDirectTCPIP) session.openChannel("direct-tcpip");
                channel.setHost(words[1]);
                channel.setPort(Integer.parseInt(words[2]));
                carry(channel);
                return 0;
            }
            default: {
                ChannelSftp files = (ChannelSftp) session.openChannel("sftp");
                files.connect();
                switch (words[0]) {
                    case "put" -> files.put(words[1], words[2]);
                    case "get" -> files.get(words[1], words[2]);
                    default -> files.ls(words[1]).forEach(entry ->
                            System.out.println(((ChannelSftp.LsEntry) entry).getFilename()));
                }
                return 0;
            }
        }
    }

    private static void carry(Channel channel) throws Exception {
        InputStream from = channel.getInputStream();
        OutputStream to = channel.getOutputStream();
        channel.connect(30000);
        Told.pumpAside(System.in, to);
        Told.pump(from, System.out);
    }

    public static void main(String[] words) {
        Told.main(words, JSch.VERSION, WithJsch::client, ignored -> 2);
    }
}
