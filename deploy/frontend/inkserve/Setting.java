package inkserve;

/** Settings from environment variables. A wrong one is an error at the start. */
final class Setting {
    private Setting() {}

    /** The value of a variable, a whole number from 0 to `most`; `usual` without one. */
    static int wholeNumber(String name, int usual, int most) {
        String text = System.getenv().getOrDefault(name, "");
        if (text.isEmpty()) {
            return usual;
        }
        if (!text.matches("[0-9]{1,9}") || Integer.parseInt(text) > most) {
            throw fault(String.format("%s is '%s'; wanted a whole number from 0 to %d", name, text, most));
        }
        return Integer.parseInt(text);
    }

    /** Ends the server with a message; to be thrown for the compiler. */
    static RuntimeException fault(String message) {
        System.err.println("inkserve: " + message);
        System.exit(2);
        return new IllegalStateException(message);
    }
}
